"""What a job is told by its ledger: what was paid, what is done, and which job it is."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from tasks.ledger.ledger import Ledger
from tasks.ledger.records import DocumentState, Owned, PaidBeside, StatusTotals
from tasks.ledger.state import State
from tasks.ledger.store import Batch
from tasks.providers.protocol import Reply
from tests.ledger.answers import ROUTE, WORST, body, call, call_id, finished, record, record_all, recorded

Open = Callable[..., Ledger]


@pytest.fixture
def ledger(state: State) -> Iterator[Ledger]:
    with state.hold():
        one = state.open()
        yield one
        one.close()


@pytest.fixture
def reopened(state: State) -> Iterator[Open]:
    """Close the ledger that was opened before, and open it again, as the next run does."""
    with contextlib.ExitStack() as last:

        def reopen(*, fresh: bool = False) -> Ledger:
            last.close()
            last.enter_context(state.hold())
            ledger = state.open(fresh=fresh)
            last.callback(ledger.close)
            assert ledger.notice is None
            return ledger

        yield reopen


def kept_body(ledger: Ledger, name: str | int) -> bytes | None:
    kept = ledger.answer(call_id(name))
    return kept.reply.body if kept else None


# Answers


def test_what_is_kept_is_the_raw_answer_and_how_it_came(ledger: Ledger) -> None:
    job = ledger.begin("work", "summarize")
    record(ledger, "one", b"\xff\x00 not even text")
    kept = ledger.answer(call_id("one"))
    assert kept is not None
    assert kept.reply == Reply(200, {}, b"\xff\x00 not even text")
    assert (kept.job_id, kept.document_id, kept.attempts, kept.latency_ms) == (job, "a.txt", 2, 31)
    assert kept.created_at.tzinfo is not None
    assert ledger.answer(call_id("another")) is None


def test_an_empty_answer_is_kept_too(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    record(ledger, "one", b"")
    assert kept_body(ledger, "one") == b""


def test_an_answer_is_found_by_the_process_that_opens_the_ledger_next(reopened: Open) -> None:
    ledger = reopened()
    ledger.begin("work", "summarize")
    record(ledger, "one")
    assert kept_body(reopened(), "one") == body("one")


def test_records_made_at_once_are_all_there_once_awaited(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")

    async def one(number: int) -> None:
        await recorded(ledger, number)
        assert kept_body(ledger, number) == body(number)

    async def many() -> None:
        await asyncio.gather(*map(one, range(500)))

    asyncio.run(many())


def test_a_second_reply_to_a_call_takes_the_place_of_the_first(reopened: Open) -> None:
    ledger = reopened()
    ledger.begin("work", "summarize")
    record(ledger, "one", b"first")
    record(ledger, "one", b"second")
    assert kept_body(ledger, "one") == b"second"
    assert kept_body(reopened(), "one") == b"second"


# Jobs


def test_the_same_work_takes_up_the_same_job_until_it_is_done(ledger: Ledger) -> None:
    first = ledger.begin("work", "summarize")
    assert first.startswith("summarize-work-")
    began = ledger.started_at()
    assert ledger.begin("work", "summarize") == first
    for status in ("paused", "failed"):
        ledger.end(status)
        assert ledger.begin("work", "summarize") == first
    assert ledger.started_at() == began
    ledger.end("done")
    assert ledger.begin("work", "summarize") != first


def test_a_job_that_was_killed_is_taken_up_by_the_next_process(reopened: Open) -> None:
    first = reopened().begin("work", "summarize")
    assert reopened().begin("work", "summarize") == first


def test_other_work_is_another_job_and_no_two_jobs_have_one_id(ledger: Ledger) -> None:
    jobs = []
    for work in ("work", "other work", "work", "work of the same first letters", "other work"):
        jobs.append(ledger.begin(work, "summarize"))
        assert ledger.job_id == jobs[-1]
    assert len(set(jobs)) == len(jobs)


def test_fresh_sees_only_what_its_own_job_paid(reopened: Open) -> None:
    before = reopened()
    first = before.begin("work", "summarize")
    record(before, "one")
    before.end("done")
    ledger = reopened(fresh=True)
    assert ledger.begin("work", "summarize") != first
    assert kept_body(ledger, "one") is None
    record(ledger, "two")
    assert kept_body(ledger, "two") == body("two")
    record(ledger, "one", b"anew")
    assert kept_body(ledger, "one") == b"anew"
    assert kept_body(reopened(), "one") == b"anew"


def test_a_fresh_job_that_was_interrupted_finds_its_own_answers_again(reopened: Open) -> None:
    before = reopened(fresh=True)
    before.begin("work", "summarize")
    record(before, "one")
    ledger = reopened(fresh=True)
    ledger.begin("work", "summarize")
    assert kept_body(ledger, "one") == body("one")


# Money


def lost(number: int) -> PaidBeside:
    """An exchange whose answer was lost."""
    return PaidBeside(call_id(number), "a.txt", "timeout", None, None, WORST, 1, 31, None, datetime.now(UTC))


def test_what_a_job_spent_is_known_to_its_next_run_and_to_no_other_job(reopened: Open) -> None:
    before = reopened()
    before.begin("work", "summarize")
    for name, cost in (("one", 0.25), ("two", 0.5)):
        record(before, name)
        before.costs(call_id(name), cost)
    assert before.spent() == 0.75
    ledger = reopened()
    ledger.begin("work", "summarize")
    assert ledger.spent() == 0.75
    ledger.begin("other work", "summarize")
    assert ledger.spent() == 0


def test_an_answer_whose_cost_was_not_noted_counts_at_its_worst(reopened: Open) -> None:
    before = reopened()
    before.begin("work", "summarize")
    for name in ("noted", "killed before", "unknown"):
        record(before, name)
    before.costs(call_id("noted"), 0.0)
    before.costs(call_id("unknown"), None)
    assert before.spent() == 2 * WORST
    ledger = reopened()
    ledger.begin("work", "summarize")
    assert ledger.spent() == 2 * WORST


def test_an_answer_paid_anew_is_of_unknown_cost_again(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    record(ledger, "one")
    ledger.costs(call_id("one"), 0.03125)
    assert ledger.spent() == 0.03125
    record(ledger, "one", b"anew")
    assert ledger.spent() == WORST


def test_spent_counts_what_is_queued(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    record_all(ledger, range(300))
    for number in range(300):
        ledger.costs(call_id(number), 0.5)
    assert ledger.spent() == 150


def test_what_was_lost_counts_what_is_queued(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy disk takes a while for each commit: notes wait, and are counted all the same."""
    ledger.begin("work", "summarize")
    commit = ledger._store._commit

    def slowly(batch: Batch, *, flush: bool) -> None:
        time.sleep(0.2)
        commit(batch, flush=flush)

    monkeypatch.setattr(ledger._store, "_commit", slowly)
    for number in range(3):
        ledger.pay_beside(lost(number))
    assert ledger.lost() == (3, 3 * WORST)
    ledger.pay_beside(lost(3)._replace(tokens=(20, 10), cost=0.5))
    assert ledger.paid() == 0.5
    ledger.pay_beside(lost(4))
    assert ledger.spent() == 4 * WORST + 0.5


# Documents


def test_a_document_is_assigned_before_and_finished_after(ledger: Ledger) -> None:
    job = ledger.begin("work", "summarize")
    part = ledger.new_part()
    assert ledger.seen(["a.txt"]) == {}
    parts = ledger.assign(["a.txt", "b.txt"], "work", part)
    assert parts == {"a.txt": part, "b.txt": part}
    assert ledger.seen(["a.txt", "c.txt"]) == {"a.txt": DocumentState(job, "work", None, "assigned", part)}
    ledger.finish([finished("a.txt")], parts, "work")
    assert ledger.seen(["a.txt", "b.txt"]) == {
        "a.txt": DocumentState(job, "work", "sha", "done", part),
        "b.txt": DocumentState(job, "work", None, "assigned", part),
    }


def test_a_document_stays_in_the_part_it_was_first_assigned_to(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    first, second = ledger.new_part(), ledger.new_part()
    assert first != second
    parts = ledger.assign(["a.txt"], "work", first)
    assert ledger.assign(["a.txt", "b.txt"], "work", second) == {"a.txt": first, "b.txt": second}
    ledger.finish([finished("a.txt")], parts, "work")
    ledger.begin("other work", "summarize")
    assert ledger.assign(["a.txt"], "other work", second) == {"a.txt": first}


def test_a_document_that_is_assigned_again_is_not_done(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    ledger.finish([finished("a.txt")], ledger.assign(["a.txt"], "work", 1), "work")
    ledger.assign(["a.txt"], "work", 2)
    assert ledger.seen(["a.txt"])["a.txt"].status == "assigned"


def test_what_is_finished_was_assigned_or_not(ledger: Ledger) -> None:
    job = ledger.begin("work", "summarize")
    ledger.finish([finished("a.txt", "failed")], {"a.txt": 3}, "work")
    assert ledger.seen(["a.txt"]) == {"a.txt": DocumentState(job, "work", "sha", "failed", 3)}


def test_a_later_outcome_takes_the_place_of_an_earlier_one(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    ledger.finish([finished("a.txt", "failed", content="old")], {"a.txt": 1}, "work")
    job = ledger.begin("other work", "summarize")
    ledger.finish([finished("a.txt", cost=None)], {"a.txt": 1}, "other work")
    assert ledger.seen(["a.txt"]) == {"a.txt": DocumentState(job, "other work", "sha", "done", 1)}
    assert ledger.sums() == {"done": StatusTotals(1, 3, 1, 100, 10, None)}


def test_any_name_is_a_documents_name(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    long = random.Random(1).randbytes(5000).hex()  # more than an index takes, however it is compressed
    names = ["it's.txt", 'a "b".txt', "тетрадь/日本.txt", "a\\b\n.txt", "\x1b0", "x" * 4000, long]
    parts = ledger.assign(names, "work", 1)
    ledger.finish([finished(name) for name in names], parts, "work")
    assert set(ledger.seen(names)) == set(names)


def test_thousands_of_documents_are_seen_assigned_and_finished_at_once(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    names = [f"{number}.txt" for number in range(5000)]
    parts = ledger.assign(names, "work", 1)
    ledger.finish([finished(name) for name in names], parts, "work")
    assert {seen.status for seen in ledger.seen(names).values()} == {"done"}
    assert ledger.sums()["done"].documents == 5000


def test_sums_are_of_this_job_alone_and_by_status(ledger: Ledger) -> None:
    for work, names in (("old", ["a", "b"]), ("new", ["c", "d", "e"])):
        ledger.begin(work, "summarize")
        parts = ledger.assign(names, work, ledger.new_part())
        outcomes = [finished(name) for name in names[:2]] + [finished(name, "failed") for name in names[2:]]
        ledger.finish(outcomes, parts, work)
    sums = ledger.sums()
    assert sums["done"] == StatusTotals(2, 6, 2, 200, 20, 1.0)
    assert sums["failed"] == StatusTotals(1, 3, 1, 100, 10, 0.5)
    assert "partial" not in sums


def test_a_cost_that_is_not_known_makes_its_sum_unknown(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    parts = ledger.assign(["a", "b"], "work", 1)
    ledger.finish([finished("a"), finished("b", cost=None)], parts, "work")
    assert ledger.sums()["done"].cost_usd is None


# Parts


def test_parts_are_numbered_on_after_those_of_earlier_runs(reopened: Open) -> None:
    before = reopened()
    before.begin("work", "summarize")
    part = before.new_part()
    before.assign(["a.txt"], "work", part)
    assert reopened().new_part() > part


def test_a_part_holds_at_least_what_was_finished_in_it(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    names = {"a": "done", "b": "failed", "c": "partial", "d": "done", "e": "assigned"}
    parts = {"a": 1, "b": 1, "c": 1, "d": 2, "e": 2}
    for part in (1, 2):
        ledger.assign([name for name in names if parts[name] == part], "work", part)
    ledger.finish([finished(name, names[name]) for name in "abcd"], parts, "work")
    assert ledger.parts() == [(1, 3, 9, 2), (2, 1, 3, 0)]


def test_a_part_that_is_lost_has_its_documents_done_again_in_it(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    parts = {"a": 1, "b": 2, "c": 3}
    ledger.finish([finished(name) for name in parts], parts, "work")
    ledger.reopen([1, 3])
    assert {name: seen.status for name, seen in ledger.seen("abc").items()} == {
        "a": "assigned", "b": "done", "c": "assigned",
    }  # fmt: skip
    assert ledger.parts() == [(2, 1, 3, 0)]
    assert ledger.assign(["a", "c"], "work", 4) == {"a": 1, "c": 3}


def test_no_part_is_reopened_where_none_is_lost(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    ledger.finish([finished("a")], {"a": 1}, "work")
    ledger.reopen([])
    assert ledger.parts() == [(1, 1, 3, 0)]


def test_adopted_documents_are_to_be_done_in_the_parts_they_lie_in(reopened: Open) -> None:
    ledger = reopened()
    ledger.adopt({"a.txt": 7, "b.txt": 2})
    ledger.begin("work", "summarize")
    assert {name: (seen.status, seen.part) for name, seen in ledger.seen(["a.txt", "b.txt"]).items()} == {
        "a.txt": ("assigned", 7),
        "b.txt": ("assigned", 2),
    }
    assert ledger.new_part() == 8
    assert ledger.assign(["a.txt", "new.txt"], "work", 8) == {"a.txt": 7, "new.txt": 8}
    assert ledger.parts() == []
    assert reopened().new_part() == 9


def test_forgotten_documents_have_no_home_and_their_answers_are_kept(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")
    record(ledger, "one", b"paid for")
    names = [f"{number}.txt" for number in range(1200)]
    ledger.finish([finished(name) for name in names], dict.fromkeys(names, 7), "work")
    ledger.forget(names[1:])
    assert list(ledger.homes()) == [("0.txt", 7)]
    assert ledger.seen(names).keys() == {"0.txt"}
    assert kept_body(ledger, "one") == b"paid for"


def test_a_text_belongs_to_whom_it_was_given_last_and_lies_where_that_was_noted(ledger: Ledger) -> None:
    job = ledger.begin("work", "embed")
    ledger.own([("second", "b.txt", "call", 1), ("first", "a.txt", "call", 0)])
    ledger.placed("half", [("second", "b.txt", 0)])
    ledger.spent()  # what is queued is committed then
    assert ledger.texts(["first", "second", "third"]) == {
        "first": Owned(job, "a.txt", "call", 0),
        "second": Owned(job, "b.txt", "half", 0),
    }
    ledger.own([("second", "c.txt", "later", 7)])
    assert ledger.texts(["second"]) == {"second": Owned(job, "c.txt", "later", 7)}


def test_where_nothing_is_held_nothing_is_adopted(ledger: Ledger) -> None:
    ledger.adopt({})
    assert ledger.new_part() == 1


def test_a_record_awaited_later_is_queued_at_once(ledger: Ledger) -> None:
    ledger.begin("work", "summarize")

    async def both() -> None:
        waits = ledger.record(call("one"), Reply(200, {}, b"1"), 1, 1, document_id="d", route=ROUTE, worst=WORST)
        ledger.costs(call_id("one"), 0.5)
        await waits

    asyncio.run(both())
    assert ledger.spent() == 0.5
