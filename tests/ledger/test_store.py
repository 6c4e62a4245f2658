"""What was committed stays, whatever happens to the process or the disk; whoever waits is told."""

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tasks.base.errors import StorageFailed
from tasks.ledger import sqlite as sqlite_module
from tasks.ledger.sqlite import SqliteStore, doubt_mark
from tasks.ledger.state import local_ledger
from tasks.ledger.statements import ANSWER, ASSIGN, COST
from tasks.ledger.store import BATCH, Value
from tests.ledger.answers import body, call_id

ROOT = Path(__file__).parents[2]
COUNT = "SELECT count(*) FROM answers"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    one = SqliteStore(path)
    yield one
    one.close()


def row(number: int | str, text: bytes = b"answer") -> tuple[Value, ...]:
    return call_id(number), "job", "a.txt", "p", "m", 200, text, 1, 1, 0.1, 0.0, 0


def assigned(name: str) -> tuple[Value, ...]:
    return name, "job", "work", "assigned", 1


class Held:
    """Holds a file's write lock, so that all that is queued meanwhile makes one batch."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self._connection = sqlite3.connect(store.path, isolation_level=None)

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        self._store.note(COST, ("nobody's", 0.0))
        while not self._store._queue.empty():
            time.sleep(0.001)

    def __exit__(self, *_: object) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


DIES = """
import asyncio, sys
from pathlib import Path
from tasks.ledger.state import local_ledger
from tests.ledger.answers import call_id, recorded

async def all_of_them():
    ledger = local_ledger(Path(sys.argv[1]))
    print(ledger.begin("work", "summarize"), flush=True)

    async def one(first):
        for number in range(first, 1_000_000, 20):
            await recorded(ledger, number)
            print(number, flush=True)

    await asyncio.gather(*map(one, range(20)))

asyncio.run(all_of_them())
"""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_committed_survives_a_kill_at_a_random_instant(path: Path, seed: int) -> None:
    command = [sys.executable, "-c", DIES, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        job = child.stdout.readline().strip()
        threading.Timer(random.Random(seed).uniform(0.05, 0.4), child.kill).start()
        said = [line.strip() for line in child.stdout if line.endswith("\n")]
    assert child.returncode == -9
    assert said

    ledger = local_ledger(path)
    try:
        assert ledger.notice is None
        assert ledger.begin("work", "summarize") == job
        for number in said:
            kept = ledger.answer(call_id(number))
            assert kept is not None
            assert (kept.reply.body, kept.job_id) == (body(number), job)
    finally:
        ledger.close()


def test_a_row_is_there_once_its_future_is_done(store: SqliteStore) -> None:
    async def one(number: int) -> None:
        await store.add(ANSWER, row(number))
        assert store.find(COUNT + " WHERE call_id = ?", (call_id(number),)) == [(1,)]

    async def many() -> None:
        await asyncio.gather(*map(one, range(2 * BATCH)))

    asyncio.run(many())


def test_a_future_is_resolved_on_the_loop_and_thread_it_was_made_on(store: SqliteStore) -> None:
    def one(number: int) -> bool:
        async def there() -> bool:
            told: list[int] = []
            future = store.add(ANSWER, row(number))
            future.add_done_callback(lambda _: told.append(threading.get_ident()))
            await future
            await asyncio.sleep(0)
            return told == [threading.get_ident()] and future.get_loop() is asyncio.get_running_loop()

        return asyncio.run(there())

    with Held(store):
        pool = ThreadPoolExecutor(8)
        answers = pool.map(one, range(8))
        while store._queue.qsize() < 8:
            time.sleep(0.001)
    assert all(answers)
    pool.shutdown()


def test_rows_that_wait_together_are_one_commit(store: SqliteStore) -> None:
    versions: list[int] = []

    async def many() -> None:
        with Held(store):
            futures = [store.add(ANSWER, row(number)) for number in range(BATCH - 1)]
        with closing(sqlite3.connect(store.path)) as other:
            while not versions or not versions[-1]:
                versions.append(other.execute(COUNT).fetchone()[0])
        await asyncio.gather(*futures)

    asyncio.run(many())
    assert set(versions) <= {0, BATCH - 1}


def test_a_note_about_a_row_comes_after_it_whatever_came_first_in_the_batch(store: SqliteStore) -> None:
    with Held(store):
        store.note(ANSWER, row("one"))
        store.note(COST, (call_id("one"), 0.25))
        store.note(COST, (call_id("two"), 0.5))
        store.note(ANSWER, row("two"))
    store.write("SELECT 1")
    costs = store.read("SELECT call_id, cost_usd FROM answers")
    assert set(costs) == {(call_id("one"), 0.25), (call_id("two"), 0.5)}


def test_a_cost_noted_after_one_of_an_earlier_answer_finds_its_own(store: SqliteStore) -> None:
    store.note(ANSWER, row("earlier"))
    store.write("SELECT 1")
    with Held(store):
        store.note(COST, (call_id("earlier"), 0.25))
        store.note(ANSWER, row("one"))
        store.note(COST, (call_id("one"), 0.5))
    store.write("SELECT 1")
    assert store.read("SELECT total(cost_usd) FROM answers") == [(0.75,)]


@pytest.mark.parametrize("together", [True, False])
def test_a_second_reply_to_a_call_takes_the_place_of_the_first(store: SqliteStore, *, together: bool) -> None:
    def both() -> None:
        store.note(ANSWER, row("one", b"first"))
        if not together:
            store.write("SELECT 1")
        store.note(ANSWER, row("one", b"second"))

    if together:
        with Held(store):
            both()
    else:
        both()
    store.write("SELECT 1")
    assert store.read("SELECT body FROM answers") == [(b"second",)]


def test_a_statement_comes_after_what_was_queued_before_it_and_before_what_comes_later(store: SqliteStore) -> None:
    with ThreadPoolExecutor(1) as pool:
        with Held(store):
            store.note(ANSWER, row("one"))
            store.note(COST, (call_id("one"), 0.5))
            pool.submit(store.write, "UPDATE answers SET cost_usd = 2 * cost_usd, job_id = 'seen'")
            while store._queue.qsize() < 3:
                time.sleep(0.001)
            store.note(ANSWER, row("two"))
        store.write("SELECT 1")
    rows = store.read("SELECT call_id, cost_usd, job_id FROM answers")
    assert set(rows) == {(call_id("one"), 1.0, "seen"), (call_id("two"), None, "job")}


def test_many_rows_are_written_together_or_not_at_all(store: SqliteStore) -> None:
    store.write_many(ASSIGN, [assigned(str(number)) for number in range(3 * BATCH + 1)])
    with pytest.raises(StorageFailed):
        store.write_many(ASSIGN, [*(assigned(f"more {number}") for number in range(2 * BATCH)), (None,) * 5])
    assert store.read("SELECT count(*) FROM documents") == [(3 * BATCH + 1,)]


def test_no_rows_are_as_good_as_written(store: SqliteStore) -> None:
    store.write_many(ASSIGN, [])
    assert store.read("SELECT count(*) FROM documents") == [(0,)]


def test_writers_on_many_threads_lose_nothing(store: SqliteStore) -> None:
    async def add(first: int) -> None:
        await asyncio.gather(*(store.add(ANSWER, row(number)) for number in range(first, first + 50)))

    def work(worker: int) -> None:
        for number in range(20):
            store.write_many(ASSIGN, [assigned(f"{worker}-{number}")])
            store.write("UPDATE documents SET calls = calls + 1 WHERE document_id = ?", (f"{worker}-{number}",))
            store.note(ANSWER, row(f"{worker}-{number}"))
            store.note(COST, (call_id(f"{worker}-{number}"), 0.5))
            assert store.read("SELECT calls FROM documents WHERE document_id = ?", (f"{worker}-{number}",)) == [(1,)]
        asyncio.run(add(50 * worker))

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(12)))
    store.write("SELECT 1")
    assert store.read("SELECT count(*), sum(calls) FROM documents") == [(240, 240)]
    assert store.read("SELECT count(*), total(cost_usd) FROM answers") == [(840, 120.0)]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """All connections that stores open from now on."""
    connections: list[sqlite3.Connection] = []
    usual = sqlite_module._open

    def remembering(path: Path) -> sqlite3.Connection:
        connections.append(usual(path))
        return connections[-1]

    monkeypatch.setattr(sqlite_module, "_open", remembering)
    return connections


@pytest.mark.parametrize(
    ("refuse", "allow", "words"),
    [
        ("PRAGMA max_page_count=1", "PRAGMA max_page_count=1000000", "full"),
        ("PRAGMA query_only=1", "PRAGMA query_only=0", "readonly"),
    ],
)
def test_where_the_disk_refuses_everybody_who_waits_is_told_and_the_store_stays_usable(
    opened: list[sqlite3.Connection], path: Path, refuse: str, allow: str, words: str
) -> None:
    store = SqliteStore(path)
    store.write_many(ASSIGN, [assigned("before")])
    writer = opened[-1]
    big = b"x" * 10_000

    async def many() -> list[BaseException | None]:
        with Held(store):
            futures = [store.add(ANSWER, row(number, big)) for number in range(10)]
            waiting = asyncio.gather(
                *futures,
                asyncio.to_thread(store.write, "UPDATE documents SET calls = 7"),
                asyncio.to_thread(store.write_many, ASSIGN, [assigned("lost")]),
                return_exceptions=True,
            )
            await asyncio.sleep(0.2)  # until the threads have queued theirs too
        return await waiting

    writer.execute(refuse)
    told = asyncio.run(many())
    assert len(told) == 12
    assert all(isinstance(one, StorageFailed) and words in str(one) for one in told), told
    assert store.read("SELECT document_id, calls FROM documents") == [("before", 0)]
    assert store.read(COUNT) == [(0,)]
    assert not doubt_mark(path).exists()

    writer.execute(allow)
    store.write_many(ANSWER, [row("after", big)])
    assert store.read(COUNT) == [(1,)]
    store.close()


FILLS_THE_DISK = """
import resource, sys
from pathlib import Path
from tasks.base.errors import StorageFailed
from tasks.ledger.state import local_ledger
from tests.ledger.answers import record, call_id

ledger = local_ledger(Path(sys.argv[1]))
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, most))
number = 0
try:
    while True:
        record(ledger, number, b"x" * 10_000)
        number += 1
except StorageFailed as error:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    print(error, file=sys.stderr)
record(ledger, "after")
assert ledger.answer(call_id("after"))
ledger.close()
print(number)
"""


def test_a_disk_that_fills_up_costs_nothing_that_was_committed(path: Path) -> None:
    command = [sys.executable, "-c", FILLS_THE_DISK, str(path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert "free the disk" in ran.stderr
    with closing(SqliteStore(path)) as store:
        assert store.read(COUNT) == [(int(ran.stdout) + 1,)]
        assert int(ran.stdout) > 5


@pytest.mark.parametrize("value", [2**70, "\udc80", object()])
def test_a_value_that_no_table_takes_is_told_and_the_store_goes_on(store: SqliteStore, value: Any) -> None:
    with pytest.raises(StorageFailed, match="can't be written"):
        store.write_many(ASSIGN, [(value, "job", "work", "assigned", 1)])
    store.write_many(ASSIGN, [assigned("after")])
    assert store.read("SELECT document_id FROM documents") == [("after",)]


class Flushes:
    """What os.fsync was told to flush, and when; `gate` holds it up."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.files: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.error: OSError | None = None

    def __call__(self, descriptor: int) -> None:
        self.gate.wait(10)
        self.files.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        if self.error:
            raise self.error
        self.times.append(time.monotonic())

    def since(self, when: float) -> bool:
        """Wait up to three seconds for a flush after `when`."""
        while time.monotonic() < when + 3:
            if self.times and self.times[-1] >= when:
                return True
            time.sleep(0.01)
        return False


@pytest.fixture
def flushes(monkeypatch: pytest.MonkeyPatch) -> Flushes:
    watched = Flushes()
    monkeypatch.setattr(os, "fsync", watched)
    return watched


def test_what_is_committed_is_flushed_to_the_disk_within_about_a_second(flushes: Flushes, store: SqliteStore) -> None:
    for number in range(2):
        began = time.monotonic()
        store.note(ANSWER, row(number))
        assert flushes.since(began)
    assert flushes.times[-1] - flushes.times[0] < 2.0
    assert flushes.files == {f"{store.path}-wal"}


def test_what_is_idle_is_not_flushed(flushes: Flushes, store: SqliteStore) -> None:
    time.sleep(1.2)
    assert not flushes.times


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.write("INSERT INTO jobs VALUES ('job', 'work', 'running', 'now')"),
        lambda store: store.write_many(ASSIGN, [assigned("a.txt")]),
    ],
)
def test_a_write_returns_only_once_it_is_flushed(
    flushes: Flushes, store: SqliteStore, write: Callable[[SqliteStore], None]
) -> None:
    flushes.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(write, store)
        time.sleep(0.1)
        assert not done.done()
        flushes.gate.set()
        done.result(10)
    assert flushes.times


def test_an_answer_waits_for_its_commit_alone(flushes: Flushes, store: SqliteStore) -> None:
    flushes.gate.clear()

    async def add() -> None:
        await asyncio.wait_for(store.add(ANSWER, row("one")), 5)

    asyncio.run(add())
    assert not flushes.times
    flushes.gate.set()


def test_a_flush_that_fails_is_told_and_the_store_goes_on(flushes: Flushes, store: SqliteStore) -> None:
    flushes.error = OSError(28, "No space left on device")
    with pytest.raises(StorageFailed, match="No space left"):
        store.write_many(ASSIGN, [assigned("a.txt")])
    flushes.error = None
    store.write_many(ASSIGN, [assigned("b.txt")])


def test_a_loop_that_was_closed_meanwhile_disturbs_nobody(path: Path) -> None:
    store = SqliteStore(path)
    loop = asyncio.new_event_loop()

    async def add() -> None:
        store.add(ANSWER, row("one"))

    with Held(store):
        loop.run_until_complete(add())
        loop.close()
        store.note(ANSWER, row("two"))
    store.write("SELECT 1")
    store.close()
    with closing(SqliteStore(path)) as again:
        assert again.read(COUNT) == [(2,)]


def test_a_cancelled_wait_disturbs_nobody_else(store: SqliteStore) -> None:
    async def two() -> None:
        with Held(store):
            first, second = store.add(ANSWER, row("one")), store.add(ANSWER, row("two"))
            first.cancel()
        await second

    asyncio.run(two())
    assert store.read(COUNT) == [(2,)]


def test_closing_commits_what_is_queued_and_leaves_one_file(path: Path) -> None:
    store = SqliteStore(path)
    for number in range(3 * BATCH):
        store.note(ANSWER, row(number))
    store.close()
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    with closing(SqliteStore(path)) as again:
        assert again.read(COUNT) == [(3 * BATCH,)]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="can't be opened"):
        SqliteStore(tmp_path / "missing" / "ledger.sqlite")


def test_a_read_that_fails_is_told_and_leaves_the_ledger_in_doubt(store: SqliteStore) -> None:
    with pytest.raises(StorageFailed, match="run the same command again"):
        store.read("SELECT * FROM missing")
    assert doubt_mark(store.path).exists()
