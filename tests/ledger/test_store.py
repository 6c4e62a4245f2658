"""What was paid is kept, whatever kills the process; files that are no ledger are refused."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.dispatch.dispatcher import Call
from tasks.errors import StorageFailed, UserMistake
from tasks.ledger.ledger import Finished, Ledger, Sums
from tasks.providers.wire import Reply

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    one = Ledger(path)
    yield one
    one.close()


def call(name: str) -> Call:
    return Call(name, "/chat/completions", b"{}", 20, 10, 10)


def record(ledger: Ledger, name: str, body: bytes = b'{"choices": []}', document_id: str = "a.txt") -> None:
    reply = Reply(200, {"x-request-id": "7", "set-cookie": "no"}, body)
    asyncio.run(ledger.record(call(name), reply, 2, 31, document_id=document_id, provider="p", model="m"))


def finished(document_id: str, status: str = "done", *, cost: float | None = 0.5, content: str = "sha") -> Finished:
    return Finished(document_id, content, status, 3, 1, 100, 10, cost)


DIES = """
import asyncio, os, sys
from pathlib import Path
from tasks.dispatch.dispatcher import Call
from tasks.ledger.ledger import Ledger
from tasks.providers.wire import Reply

async def all_of_them():
    ledger = Ledger(Path(sys.argv[1]))
    print(ledger.begin("work", "summarize"), flush=True)
    for number in range(200):
        call = Call(f"call-{number}", "/", b"", 1, 1, 1)
        await ledger.record(call, Reply(200, {}, b"answer %d" % number), 1, 1, document_id="d", provider="p", model="m")
        print(number, flush=True)
    os.kill(os.getpid(), 9)

asyncio.run(all_of_them())
"""


def test_an_answer_that_was_recorded_outlives_a_process_killed_with_9(path: Path) -> None:
    died = subprocess.run(
        [sys.executable, "-c", DIES, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert died.returncode == -9, died.stderr
    said = died.stdout.split()
    assert len(said) == 201
    ledger = Ledger(path)
    try:
        assert ledger.begin("work", "summarize") == said[0]
        for number in range(200):
            kept = ledger.answer(f"call-{number}")
            assert kept is not None
            assert kept.reply.body == b"answer %d" % number
            assert kept.job_id == said[0]
    finally:
        ledger.close()


def test_what_is_kept_is_the_raw_answer_and_how_it_came(ledger: Ledger) -> None:
    job = ledger.begin("work", "summarize")
    record(ledger, "one", b"\xff\x00 not even text")
    kept = ledger.answer("one")
    assert kept is not None
    assert kept.reply == Reply(200, {"x-request-id": "7"}, b"\xff\x00 not even text")
    assert (kept.job_id, kept.document_id, kept.attempts, kept.latency_ms) == (job, "a.txt", 2, 31)
    assert kept.created_at.tzinfo is not None
    assert ledger.answer("another") is None


def test_an_answer_is_found_by_the_process_that_opens_the_ledger_next(path: Path) -> None:
    for _ in range(2):
        ledger = Ledger(path)
        ledger.begin("work", "summarize")
        if ledger.answer("one") is None:
            record(ledger, "one")
        else:
            ledger.close()
            return
        ledger.close()
    pytest.fail("the answer was lost")


def test_the_same_work_takes_up_the_same_job_until_it_is_done(ledger: Ledger) -> None:
    first = ledger.begin("work", "summarize")
    assert first.startswith("summarize-")
    began = ledger.started_at()
    assert ledger.begin("work", "summarize") == first
    ledger.end("paused")
    assert ledger.begin("work", "summarize") == first
    assert ledger.started_at() == began
    ledger.end("done")
    assert ledger.begin("work", "summarize") != first


def test_other_work_is_another_job(ledger: Ledger) -> None:
    first = ledger.begin("work", "summarize")
    other = ledger.begin("other work", "summarize")
    assert other != first


def test_fresh_begins_another_job_and_ignores_the_answers_of_earlier_ones(path: Path) -> None:
    before = Ledger(path)
    first = before.begin("work", "summarize")
    record(before, "one")
    before.end("done")
    before.close()
    ledger = Ledger(path, fresh=True)
    try:
        assert ledger.begin("work", "summarize") != first
        assert ledger.answer("one") is None
        record(ledger, "two")
        assert ledger.answer("two") is not None
        record(ledger, "one", b"anew")
        kept = ledger.answer("one")
        assert kept is not None
        assert kept.reply.body == b"anew"
    finally:
        ledger.close()


def test_a_document_is_assigned_before_and_finished_after(ledger: Ledger) -> None:
    job = ledger.begin("work", "summarize")
    part = ledger.new_part()
    assert ledger.seen("a.txt") is None
    assert ledger.assign(["a.txt", "b.txt"], "work", part) == {"a.txt": part, "b.txt": part}
    seen = ledger.seen("a.txt")
    assert seen is not None
    assert (seen.status, seen.job_id, seen.part) == ("assigned", job, part)
    ledger.finish([finished("a.txt")], "work")
    seen = ledger.seen("a.txt")
    assert seen is not None
    assert (seen.status, seen.content_sha256, seen.work, seen.part) == ("done", "sha", "work", part)


def test_a_document_stays_in_the_part_it_was_first_assigned_to(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    first, second = ledger.new_part(), ledger.new_part()
    assert first != second
    ledger.assign(["a.txt"], "work", first)
    assert ledger.assign(["a.txt", "b.txt"], "work", second) == {"a.txt": first, "b.txt": second}


def test_parts_are_numbered_on_after_those_of_earlier_runs(path: Path) -> None:
    before = Ledger(path)
    before.begin("work", "summarize")
    part = before.new_part()
    before.assign(["a.txt"], "work", part)
    before.close()
    ledger = Ledger(path)
    try:
        assert ledger.new_part() > part
    finally:
        ledger.close()


def test_sums_are_of_this_job_alone_and_by_status(ledger: Ledger) -> None:
    for work, names in (("old", ["a", "b"]), ("new", ["c", "d", "e"])):
        ledger.begin(work, "summarize")
        ledger.assign(names, work, ledger.new_part())
        ledger.finish([finished(name) for name in names[:2]], work)
        ledger.finish([finished(name, "failed") for name in names[2:]], work)
    sums = ledger.sums()
    assert sums["done"] == Sums(2, 6, 2, 200, 20, 1.0)
    assert sums["failed"] == Sums(1, 3, 1, 100, 10, 0.5)
    assert "partial" not in sums


def test_a_cost_that_is_not_known_makes_its_sum_unknown(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    ledger.assign(["a", "b"], "work", 1)
    ledger.finish([finished("a"), finished("b", cost=None)], "work")
    assert ledger.sums()["done"].cost_usd is None


def test_what_a_job_spent_is_known_to_its_next_run(path: Path) -> None:
    before = Ledger(path)
    before.begin("work", "summarize")
    for name, cost in (("one", 0.25), ("two", 0.5), ("three", None)):
        record(before, name)
        before.costs(name, cost)
    before.close()
    ledger = Ledger(path)
    try:
        ledger.begin("work", "summarize")
        assert ledger.spent() == pytest.approx(0.75)
        ledger.begin("other work", "summarize")
        assert ledger.spent() == 0
    finally:
        ledger.close()


def test_a_ledger_of_another_version_is_refused_by_name(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.commit()
    connection.close()
    with pytest.raises(UserMistake, match=r"ledger\.sqlite.*version 99"):
        Ledger(path)


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"These are someone's notes, not a database at all. " * 50)
    before = path.read_bytes()
    with pytest.raises(UserMistake, match=r"ledger\.sqlite.*can't be opened"):
        Ledger(path)
    assert path.read_bytes() == before


def test_a_write_that_fails_says_so_and_the_ledger_goes_on(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    with pytest.raises(StorageFailed, match="ledger can't be written"):
        ledger._store.write(("INSERT INTO no_such_table VALUES (1)", ())).result()
    record(ledger, "one")
    assert ledger.answer("one") is not None


def test_records_made_at_once_are_all_there_once_awaited(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")

    async def many() -> None:
        async def one(number: int) -> None:
            reply = Reply(200, {}, json.dumps(number).encode())
            await ledger.record(call(f"c{number}"), reply, 1, 1, document_id="d", provider="p", model="m")
            kept = ledger.answer(f"c{number}")
            assert kept is not None
            assert kept.reply.body == json.dumps(number).encode()

        await asyncio.gather(*(one(number) for number in range(500)))

    asyncio.run(many())
