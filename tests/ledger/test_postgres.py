"""A ledger in PostgreSQL: what was acknowledged stays, one run holds it, and any machine goes on with it."""

import asyncio
import contextlib
import hashlib
import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.base.errors import StorageFailed, UserMistake
from tasks.jobs.job import Job
from tasks.ledger import advisory
from tasks.ledger import postgres_connection as server
from tasks.ledger.dialect import taken, told
from tasks.ledger.ledger import Ledger
from tasks.ledger.postgres_state import PostgresState
from tasks.ledger.sqlite import SqliteStore
from tasks.ledger.state import State
from tasks.ledger.tables import SCHEMA, VERSION
from tasks.planning.plan import make_plan
from tasks.planning.prepare import prepare
from tasks.planning.state_location import VARIABLE
from tasks.prompting.options import Options
from tests.conftest import RunJob, hasten
from tests.jobs.texts import fill
from tests.ledger.answers import body, call_id, finished, record, record_all, recorded
from tests.ledger.server import PASSWORD, PostgresServer
from tests.simulator import Simulator

ROOT = Path(__file__).parents[2]
COUNT = "SELECT count(*) FROM answers"
SCHEMA_NAME = "docmill_tests"


@pytest.fixture
def state(database: PostgresServer) -> PostgresState:
    return another(database)


def another(database: PostgresServer) -> PostgresState:
    """The same state, as another process sees it."""
    return PostgresState(database.url, SCHEMA_NAME, PASSWORD)


@contextlib.contextmanager
def opened(state: State) -> Iterator[Ledger]:
    with state.hold():
        ledger = state.open()
        try:
            yield ledger
        finally:
            ledger.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PATIENCE_SECONDS", 0.3)


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisory, "WATCH_SECONDS", 0.05)


def until(true: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# One process and the next

DIES = """
import asyncio, sys
from tasks.ledger.postgres_state import PostgresState
from tests.ledger.answers import recorded

async def all_of_them(ledger):
    async def one(first):
        for number in range(first, 1_000_000, 20):
            await recorded(ledger, number)
            print(number, flush=True)

    await asyncio.gather(*map(one, range(20)))

state = PostgresState(*sys.argv[1:])
with state.hold():
    ledger = state.open()
    print(ledger.begin("work", "summarize"), flush=True)
    asyncio.run(all_of_them(ledger))
"""


def dying(database: PostgresServer) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", DIES, database.url, SCHEMA_NAME, PASSWORD]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_acknowledged_survives_a_kill_at_a_random_instant_and_the_lock_does_not(
    database: PostgresServer, seed: int
) -> None:
    with dying(database) as child:
        assert child.stdout is not None
        job = child.stdout.readline().strip()
        with pytest.raises(UserMistake, match=f"in use by process {child.pid} on {socket.gethostname()} since"):
            another(database).hold().__enter__()
        threading.Timer(random.Random(seed).uniform(0.05, 0.4), child.kill).start()
        said = [line.strip() for line in child.stdout if line.endswith("\n")]
    assert child.returncode == -signal.SIGKILL
    assert said
    killed = time.monotonic()
    while True:
        with contextlib.suppress(UserMistake), opened(another(database)) as ledger:
            assert ledger.begin("work", "summarize") == job
            for number in said:
                kept = ledger.answer(call_id(number))
                assert kept is not None
                assert (kept.reply.body, kept.job_id) == (body(number), job)
            return
        assert time.monotonic() < killed + 5


def test_the_lock_is_free_again_after_its_block(state: PostgresState, database: PostgresServer) -> None:
    with pytest.raises(ZeroDivisionError), state.hold():
        _ = 1 / 0
    with state.hold(), pytest.raises(UserMistake, match=f"process {os.getpid()} on .*--output"):
        another(database).hold().__enter__()
    with another(database).hold():
        pass


def test_result_sets_of_one_database_do_not_meet(state: PostgresState, database: PostgresServer) -> None:
    other = PostgresState(database.url, "docmill_others", PASSWORD)
    with opened(state) as ledger, opened(other) as others:
        ledger.begin("work", "summarize")
        record(ledger, "one")
        assert others.answer(call_id("one")) is None
        assert others.is_new
    with contextlib.closing(database.connect()) as connection:
        connection.execute(b"DROP SCHEMA docmill_others CASCADE")


# What breaks


def test_connections_that_break_are_made_anew_and_nothing_is_lost(
    state: PostgresState, database: PostgresServer, watchful: None
) -> None:
    with opened(state) as ledger:
        job = ledger.begin("work", "summarize")
        record(ledger, "before")
        kept = ledger.answer(call_id("before"))
        for number in range(3):
            assert database.cut()
            record(ledger, number)
            assert ledger.answer(call_id("before")) == kept
            assert ledger.seen(["a.txt"]) == {}
        until(lambda: database.locks(granted=True) == 1)  # it is held again
    with opened(another(database)) as ledger:
        assert ledger.begin("work", "summarize") == job
        assert all(ledger.answer(call_id(number)) for number in range(3))


def test_a_batch_that_is_cut_off_is_written_again(state: PostgresState, database: PostgresServer) -> None:
    async def many(ledger: Ledger) -> None:
        async def one(first: int) -> None:
            for number in range(first, 2000, 50):
                await recorded(ledger, number)

        working = asyncio.gather(*map(one, range(50)))
        cuts = 0
        while not working.done():
            cuts += await asyncio.to_thread(database.cut, "query NOT LIKE '%advisory%'")
            await asyncio.sleep(0.02)
        await working
        assert cuts

    with opened(state) as ledger:
        ledger.begin("work", "summarize")
        asyncio.run(many(ledger))
        assert state.peek(COUNT, ()) == [(2000,)]
        assert all(ledger.answer(call_id(number)) for number in range(2000))


def test_a_server_that_stays_away_is_told_and_one_that_comes_back_goes_on(
    state: PostgresState, database: PostgresServer, impatient: None
) -> None:
    with opened(state) as ledger:
        ledger.begin("work", "summarize")
        record(ledger, "one")
        database.stop()
        with pytest.raises(StorageFailed, match="can't be reached") as caught:
            record(ledger, "two")
        assert PASSWORD not in str(caught.value)
        with pytest.raises(StorageFailed, match="mend the server"):
            ledger.seen(["a.txt"])
        with pytest.raises(StorageFailed, match="mend the server"):
            ledger.answer(call_id("one"))
        database.start()
        record(ledger, "three")
        assert ledger.answer(call_id("one")) is not None
        assert ledger.answer(call_id("two")) is None
        assert ledger.answer(call_id("three")) is not None


def test_whoever_lost_the_lock_to_another_run_writes_nothing_more(
    state: PostgresState, database: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(advisory, "WATCH_SECONDS", 3600.0)
    with opened(state) as first:
        first.begin("work", "summarize")
        record(first, "one")
        database.cut()
        with opened(another(database)) as second:
            second.begin("work", "summarize")
            with pytest.raises(StorageFailed, match=f"taken over by process {os.getpid()}"):
                record(first, "two")
            record(second, "three")
        with pytest.raises(StorageFailed, match="taken over"):
            first.end("done")
    assert state.peek(COUNT, ()) == [(2,)]
    assert state.peek("SELECT status FROM jobs", ()) == [("running",)]


def test_a_lock_that_cannot_be_taken_again_stops_the_run(
    state: PostgresState, database: PostgresServer, watchful: None, impatient: None
) -> None:
    key = int.from_bytes(hashlib.sha256(SCHEMA_NAME.encode()).digest()[:8], signed=True)
    with opened(state) as ledger, contextlib.closing(database.connect()) as other:
        ledger.begin("work", "summarize")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(other.execute, f"SELECT pg_advisory_lock({key})".encode())
            until(lambda: database.locks(granted=False) == 1)
            database.cut()
            waiting.result(10)
        until(lambda: _refused(ledger))


def _refused(ledger: Ledger) -> bool:
    try:
        record(ledger, "one")
    except StorageFailed as error:
        return "the lock of docmill_tests" in str(error)
    return False


def test_an_answer_that_was_changed_is_never_read(state: PostgresState, database: PostgresServer) -> None:
    with opened(state) as ledger:
        ledger.begin("work", "summarize")
        record(ledger, "one")
        with contextlib.closing(database.connect()) as connection:
            connection.execute(f"UPDATE {SCHEMA_NAME}.answers SET body = 'another'".encode())
        with pytest.raises(StorageFailed, match="was changed"):
            ledger.answer(call_id("one"))


def test_a_value_that_no_table_takes_is_told_and_the_store_goes_on(state: PostgresState) -> None:
    with opened(state) as ledger:
        ledger.begin("work", "summarize")
        for name, part in (("a.txt", 2**70), ("\udc80.txt", 1)):
            with pytest.raises(StorageFailed):
                ledger.adopt({name: part})
        ledger.adopt({"c.txt": 1})
        assert set(ledger.seen(["a.txt", "c.txt"])) == {"c.txt"}


# What is kept


@given(st.text(st.sampled_from("\0\x1b0[a"), max_size=8))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    stored = taken([text])
    assert "\0" not in str(stored[0])
    assert told(stored) == (text,)


def test_a_name_with_a_nul_is_a_documents_name(state: PostgresState) -> None:
    names = ["nul\0.txt", "\x1b0.txt", "\x1b[.txt"]
    with opened(state) as ledger:
        ledger.begin("work", "summarize")
        record(ledger, "one", document_id=names[0])
        ledger.finish([finished(name) for name in names], ledger.assign(names, "work", 1), "work")
        assert set(ledger.seen(names)) == set(names)
        kept = ledger.answer(call_id("one"))
        assert kept is not None
        assert kept.document_id == names[0]


def test_notes_are_put_added_to_and_read(state: PostgresState, database: PostgresServer) -> None:
    assert state.read("note") == ""
    state.write("note", "lost: there are no tables yet")
    assert state.read("note") == ""
    with opened(state) as ledger:
        state.write("note", "one")
        state.append("note", " two\0")
        state.append("note", " three")
        ledger.spent()
        assert another(database).read("note") == "one two\0 three"
    another(database).append("note", " four")
    assert state.read("note") == "one two\0 three four"


def test_both_kinds_have_the_same_tables(state: PostgresState, tmp_path: Path) -> None:
    assert "CREATE TABLE" in SCHEMA
    store = SqliteStore(tmp_path / "ledger.sqlite")
    tables = {"jobs", "answers", "documents", "texts"}
    local = {(table, str(row[1])) for table in tables for row in store.read(f"PRAGMA table_info({table})")}
    store.close()
    with state.hold():
        sql = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s"
        found = {(str(table), str(column)) for table, column in state.peek(sql, (SCHEMA_NAME,))}
    assert {one for one in found if one[0] in tables} - local == {("jobs", "rowid")}
    assert local - found == {("answers", "number")}


def test_a_look_makes_nothing(state: PostgresState, database: PostgresServer) -> None:
    assert state.peek(COUNT, ()) == []
    with contextlib.closing(database.connect()) as connection:
        assert connection.execute(b"SELECT 1 FROM pg_namespace WHERE nspname LIKE 'docmill%'").fetchall() == []
    with opened(state), pytest.raises(UserMistake, match="read-only"):
        state.peek("DELETE FROM answers RETURNING 1", ())


def test_a_ledger_of_another_version_is_not_touched(state: PostgresState, database: PostgresServer) -> None:
    with state.hold():
        state.write("version", "99")
    with pytest.raises(UserMistake, match=f"is of version 99, not {VERSION}"), another(database).hold():
        pass
    state.write("version", str(VERSION))
    with state.hold():
        pass


# Mistakes


@pytest.mark.parametrize(
    ("user", "password", "name", "words"),
    [
        ("docmill", "wrong-secret", "postgres", "set PGPASSWORD"),
        ("docmill", None, "postgres", "set PGPASSWORD"),
        ("nobody", PASSWORD, "postgres", "set PGPASSWORD"),
        ("docmill", PASSWORD, "missing", "mend the URL, or create it"),
    ],
)
def test_who_or_what_is_not_known_is_named(
    database: PostgresServer, user: str, password: str | None, name: str, words: str
) -> None:
    url = f"postgresql://{user}@127.0.0.1:{database.port}/{name}"
    state = PostgresState(url, SCHEMA_NAME, password)
    for attempt in (state.hold().__enter__, lambda: state.read("note")):
        with pytest.raises(UserMistake, match=words) as caught:
            attempt()
        assert url in str(caught.value)
        assert "\n" not in str(caught.value)
        assert str(password) not in str(caught.value)


def test_a_server_that_cannot_be_reached_is_named() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        url = f"postgresql://u@127.0.0.1:{deaf.getsockname()[1]}/db"
        with pytest.raises(UserMistake, match="start the server, or mend the URL") as caught:
            PostgresState(url, SCHEMA_NAME, PASSWORD).hold().__enter__()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("query", ["?sslmode=nonsense", "?nonsense=1", "?connect_timeout=x"])
def test_a_url_that_is_none_is_a_mistake(database: PostgresServer, query: str) -> None:
    with pytest.raises(UserMistake, match="mend the URL"):
        PostgresState(database.url + query, SCHEMA_NAME, PASSWORD).hold().__enter__()


def test_a_user_who_may_not_make_a_schema_is_told_what_is_missing(database: PostgresServer) -> None:
    with contextlib.closing(database.connect()) as connection:
        connection.execute(f"CREATE ROLE poor LOGIN PASSWORD '{PASSWORD}'".encode())
        connection.execute(b"CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
        try:
            url = database.url.replace("docmill@", "poor@")
            with pytest.raises(UserMistake, match="GRANT CREATE ON DATABASE"):
                PostgresState(url, SCHEMA_NAME, PASSWORD).hold().__enter__()
            with pytest.raises(UserMistake, match="encoded in LATIN1, not UTF8"):
                PostgresState(database.url.replace("/postgres", "/latin"), SCHEMA_NAME, PASSWORD).read("note")
        finally:
            connection.execute(b"DROP ROLE poor")
            connection.execute(b"DROP DATABASE latin")


# Whole jobs


def test_a_job_stopped_on_one_machine_goes_on_at_another_with_nothing_paid_twice(
    database: PostgresServer,
    folder: Path,
    provider: Simulator,
    run_job: RunJob,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    fill(folder, 20)

    def stop(number: int, _: dict[str, Any]) -> None:
        if number == 8:
            jobs[-1].stop(StorageFailed("pulled the plug"))

    jobs: list[Job] = []

    def begun(job: Job) -> None:
        hasten(job)
        jobs.append(job)

    provider.settings.fault = stop
    first = run_job(opened=begun, state=database.url, concurrency=2)
    assert (first.code, first.record.status) == (4, "paused")
    assert not list(first.output.rglob("ledger.sqlite"))
    provider.settings.fault = None
    paid = provider.counts.answers
    shutil.rmtree(first.output)  # the other machine has none of it

    options = Options(output=tmp_path / "out", provider="openai-compatible", model="sim-model", state=database.url)
    plan = make_plan(prepare("summarize", [str(folder)], options))
    assert plan.unchanged + plan.kept_answers == paid
    again = run_job(state=database.url, concurrency=2)
    assert (again.code, again.record.job_id) == (0, first.record.job_id)
    assert len(again.documents) == again.record.totals.done == 20
    assert set(provider.counts.answered.values()) == {1}
    assert provider.counts.requests == 20

    shutil.rmtree(first.output)
    third = run_job(state=database.url)
    assert len(third.documents) == 20
    assert provider.counts.requests == 20


def test_a_server_that_stops_in_the_middle_of_a_job_pauses_it_and_it_goes_on(
    database: PostgresServer,
    folder: Path,
    provider: Simulator,
    run_job: RunJob,
    monkeypatch: pytest.MonkeyPatch,
    impatient: None,
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    fill(folder, 20)
    provider.settings.fault = lambda number, _: database.stop() if number == 10 else None
    first = run_job(state=database.url, concurrency=2)
    assert (first.code, first.record.status) == (4, "paused")
    assert "mend the server and run the same command again" in str(first.record.reason)
    provider.settings.fault = None
    lost = provider.counts.answers

    database.start()
    asked = provider.counts.requests
    again = run_job(state=database.url, concurrency=2)
    assert (again.code, again.record.job_id) == (0, first.record.job_id)
    assert len(again.documents) == again.record.totals.done == 20
    # What was in flight then arrived after the ledger was gone.
    twice = sum(count - 1 for count in provider.counts.answered.values())
    assert twice <= 2
    assert provider.counts.requests - asked == 20 - lost + twice


def test_the_password_is_nowhere_but_in_the_environment(
    database: PostgresServer,
    folder: Path,
    provider: Simulator,
    run_job: RunJob,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    impatient: None,
) -> None:
    caplog.set_level(logging.DEBUG)
    quoted = urllib.parse.quote(PASSWORD, safe="")
    monkeypatch.setenv(VARIABLE, database.url.replace("@", f":{quoted}@"))
    fill(folder, 6)
    provider.settings.fault = lambda number, _: database.stop() if number == 3 else None
    stopped = run_job()
    provider.settings.fault = None
    with pytest.raises(UserMistake) as caught:
        run_job()
    database.start()
    assert run_job().code == 0
    texts = [path.read_text(errors="replace") for path in stopped.output.rglob("*") if path.is_file()]
    texts += [caplog.text, str(caught.value), str(stopped.record), str(caught.value.__cause__)]
    assert "127.0.0.1" in str(stopped.record)
    assert not any(secret in text for text in texts for secret in (PASSWORD, quoted))


def test_thousands_of_answers_are_recorded_side_by_side(state: PostgresState) -> None:
    with opened(state) as ledger:
        ledger.begin("work", "summarize")
        record_all(ledger, range(3000))
        for number in range(3000):
            ledger.costs(call_id(number), 0.5)
        assert ledger.spent() == 1500
    assert state.peek("SELECT count(cost_usd) FROM answers", ()) == [(3000,)]
