"""Workers of one run over a ledger in PostgreSQL."""

import contextlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tasks.base.errors import LeaderLost
from tasks.jobs import document_shard as shard
from tasks.ledger.ledger import Ledger
from tasks.ledger.postgres_state import PostgresState
from tasks.ledger.state import LocalState
from tasks.prompting.options import Options
from tests.jobs.texts import fill
from tests.ledger.answers import finished
from tests.ledger.server import PASSWORD, PostgresServer
from tests.simulator import Simulator
from tests.workers.crew import Kill, crew_job

ROOT = Path(__file__).parents[2]


def test_workers_share_a_ledger_in_postgresql_and_a_killed_one_costs_only_what_was_in_flight(
    database: PostgresServer,
    tmp_path: Path,
    folder: Path,
    provider: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setattr(shard, "CALLS_A_SHARD", 10)
    provider.settings.latency = 0.2
    fill(folder, 40)
    options = Options(
        output=str(tmp_path / "out"), provider="openai-compatible", model="sim-model", runner="processes",
        state=database.url, concurrency=8,
    )  # fmt: skip
    kill = Kill(lambda: provider.counts.answers, 10)
    ran, _ = crew_job(folder, options, meanwhile=kill)
    assert kill.killed
    assert (ran.code, ran.record.totals.done, len(ran.documents)) == (0, 40, 40)
    assert 40 <= provider.counts.requests <= 40 + 8


def test_one_worker_writes_to_a_part_at_a_time(database: PostgresServer) -> None:
    state = _another(database)
    with state.hold(), contextlib.closing(state.open()):
        mine, theirs = _another(database), _another(database)
        with mine.join() as one, theirs.join() as other:
            order: list[str] = []

            def write(ledger: Ledger, name: str, seconds: float) -> None:
                with ledger.writing(7):
                    order.append(f"{name} begins")
                    time.sleep(seconds)
                    order.append(f"{name} ends")

            first = threading.Thread(target=write, args=(one, "first", 0.3))
            first.start()
            while not order:
                time.sleep(0.01)
            with other.writing(8):
                assert order == ["first begins"]
            write(other, "second", 0.0)
            first.join()
            assert order == ["first begins", "first ends", "second begins", "second ends"]


LOCKING = """
import sys, time
from pathlib import Path
from tasks.ledger.lock import locked
with locked(Path(sys.argv[1]), int(sys.argv[2])):
    print(time.monotonic(), flush=True)
    time.sleep(float(sys.argv[3]))
    print(time.monotonic(), flush=True)
"""


def test_processes_lock_a_part_each_for_itself(tmp_path: Path) -> None:
    def locking(part: int, seconds: float) -> "subprocess.Popen[str]":
        words = [sys.executable, "-c", LOCKING, str(tmp_path / "parts.lock"), str(part), str(seconds)]
        return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    first = locking(7, 2.0)
    assert first.stdout is not None
    began = float(first.stdout.readline())
    other, same = (float(locking(part, 0.0).communicate(timeout=60)[0].split()[0]) for part in (8, 7))
    ended = float(first.communicate(timeout=60)[0])
    assert began < other < ended <= same
    killed = locking(9, 60.0)
    assert killed.stdout is not None
    killed.stdout.readline()
    killed.kill()
    killed.communicate()
    assert locking(9, 0.0).communicate(timeout=60)[0]


def test_a_worker_commits_nothing_once_another_run_holds_the_result_set(database: PostgresServer) -> None:
    state = _another(database)
    with contextlib.ExitStack() as first:
        first.enter_context(state.hold())
        first.enter_context(contextlib.closing(state.open())).begin("work", "flow")
        with _another(database).join() as ledger:
            ledger.join("flow-work-1")
            ledger.finish([finished("a")], {"a": 1}, "work")
            first.close()
            with _another(database).hold(), pytest.raises(LeaderLost, match="taken over by process"):
                ledger.finish([finished("b")], {"b": 1}, "work")


def test_the_next_run_waits_until_the_last_ones_workers_have_left(tmp_path: Path) -> None:
    state = LocalState(tmp_path / ".docmill")
    left: list[float] = []
    with state.hold(), contextlib.closing(state.open()):
        pass

    def work() -> None:
        with state.join():
            at_work.set()
            time.sleep(0.5)
            left.append(time.monotonic())

    at_work = threading.Event()
    worker = threading.Thread(target=work)
    worker.start()
    at_work.wait()
    with state.hold():
        assert left
        assert time.monotonic() >= left[0]
    worker.join()


def _another(database: PostgresServer) -> PostgresState:
    """The same state, as another process sees it."""
    return PostgresState(database.url, "docmill_tests", PASSWORD)
