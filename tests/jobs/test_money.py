"""Whatever becomes of an answer, its cost is counted: the tables, the totals and the provider agree to the token."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.base.errors import Interrupted
from tasks.jobs.job import Job
from tests.conftest import RunJob, hasten
from tests.jobs.money import PRICE, assert_adds_up, paid
from tests.jobs.texts import fill, prose, put
from tests.simulator import FAULTS, USELESS, Simulator, completion

# A hang is waited for, and a 429 pauses all callers: they have tests of their own.
UNPAID = sorted(FAULTS.keys() - {"hang", "http_429"})
KINDS = {
    "refusal": "refused",
    "reasoning": "reasoning_only",
    "paid_empty": "empty_answer",
    "tool_call": "tool_call",
    "filtered": "content_filter",
    "paid_no_choices": "empty_answer",
}


@pytest.mark.parametrize("name", KINDS)
def test_an_answer_of_no_use_is_asked_for_once_told_by_name_and_counted(
    folder: Path, provider: Simulator, run_job: RunJob, name: str
) -> None:
    fill(folder, 5)
    put(folder, "bad.txt", "POISON in here")
    provider.settings.poison = {"POISON": name}
    ran = run_job(price=PRICE)
    assert (ran.code, provider.counts.requests) == (3, 6)
    bad = ran.documents["bad.txt"]
    assert (bad["status"], bad["error_kind"], bad["calls"]) == ("failed", KINDS[name], 1)
    assert bad["prompt_tokens"] > 0
    assert bad["cost_usd"] > 0
    (row,) = [row for row in ran.rows("calls") if row["document_id"] == "bad.txt"]
    assert row["error_kind"] == KINDS[name]
    (failure,) = ran.rows("failures")
    assert (failure["call_id"], failure["error_kind"], failure["attempts"]) == (row["call_id"], KINDS[name], 1)
    assert_adds_up(ran, provider)
    again = run_job(price=PRICE)
    assert (again.code, provider.counts.requests) == (3, 6)  # nor by a later run in the same words
    assert again.record.totals.prompt_tokens == 0


def test_the_words_of_a_refusal_are_told(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    put(folder, "bad.txt", "POISON in here")
    provider.settings.poison = {"POISON": "refusal"}
    ran = run_job()
    assert "I can't help with that." in ran.documents["bad.txt"]["error"]


def test_reasoning_that_used_all_tokens_names_the_option_and_more_of_them_are_another_call(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    put(folder, "bad.txt", "POISON in here")
    provider.settings.poison = {"POISON": "reasoning"}
    ran = run_job(price=PRICE)
    assert "--max-output-tokens" in ran.documents["bad.txt"]["error"]
    (row,) = ran.rows("calls")
    assert row["completion_tokens"] == 512
    provider.settings.poison = {}
    again = run_job(price=PRICE, max_output_tokens=2000)
    assert (again.code, again.documents["bad.txt"]["status"]) == (0, "done")


THINKING = "<think>\nThe text is about a mill. I could say much of it.\n</think>\n\n"


def test_thoughts_within_the_text_of_an_answer_are_none_of_the_output(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 2)
    provider.settings.answer = THINKING + "A mill by the river."
    ran = run_job(price=PRICE)
    assert {row["output"] for row in ran.documents.values()} == {"A mill by the river."}
    assert_adds_up(ran, provider)


def test_thoughts_without_an_end_are_reasoning_only_and_not_continued(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    put(folder, "a.txt", "A mill.")
    provider.settings.answer, provider.settings.finish = THINKING.partition("</")[0], lambda _: "length"
    ran = run_job(price=PRICE)
    assert (ran.code, provider.counts.requests) == (3, 1)
    assert ran.documents["a.txt"]["error_kind"] == "reasoning_only"
    assert_adds_up(ran, provider)


def test_a_failure_in_the_middle_of_an_answer_is_asked_again_and_both_are_counted(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 40)
    provider.settings.chaos = {"failed_midway": 0.3}
    ran = run_job(price=PRICE)
    assert (ran.code, ran.record.totals.done) == (0, 40)
    spoiled = [row for row in ran.rows("calls") if row["error_kind"] == "error_in_answer"]
    assert len(spoiled) == provider.counts.faults["failed_midway"] > 0
    assert_adds_up(ran, provider)


def test_a_budget_covers_what_is_of_no_use(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 40)
    provider.settings.chaos = {"reasoning": 1.0}
    ran = run_job(budget=0.15, price=PRICE, concurrency=4)
    assert ran.code == 4
    assert 0.1 < paid(provider) <= 0.15
    assert_adds_up(ran, provider)


def test_what_was_paid_for_documents_without_an_end_is_in_the_tables_of_a_paused_job(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.write = lambda _: "word " * 300
    for number in range(4):
        put(folder, f"{number}.txt", prose(60_000, number))
    ran = run_job(budget=0.25, price=PRICE, concurrency=4)
    assert ran.code == 4
    assert {row["document_id"] for row in ran.rows("calls")} - ran.documents.keys()
    assert_adds_up(ran, provider)
    again = run_job(budget=5, price=PRICE)
    assert (again.code, set(provider.counts.answered.values())) == (0, {1})
    assert again.record.job_id == ran.record.job_id
    assert_adds_up(again, provider)
    for row in again.documents.values():
        calls = [call for call in again.rows("calls") if call["document_id"] == row["document_id"]]
        assert row["calls"] == len(calls)
        assert row["prompt_tokens"] == sum(call["prompt_tokens"] for call in calls)


def test_answers_that_were_lost_count_at_their_worst_against_the_budget_and_are_told_apart(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 20)
    provider.settings.chaos = {"truncated": 0.2, "broken_json": 0.2}
    ran = run_job(budget=5, price=PRICE)
    totals, faults = ran.record.totals, provider.counts.faults
    assert ran.code == 0
    assert totals.lost_calls == faults["truncated"] + faults["broken_json"] > 0
    assert totals.lost_cost_usd >= totals.lost_calls * 512 * 20e-6
    assert_adds_up(ran, provider)


def test_a_budget_holds_though_every_answer_is_lost(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 40)
    provider.settings.chaos = {"broken_json": 1.0}
    ran = run_job(budget=0.1, price=PRICE)
    totals = ran.record.totals
    assert ran.code == 4
    assert provider.counts.requests * 512 * 20e-6 <= 0.1
    assert totals.lost_calls == provider.counts.requests > 0
    assert totals.cost_usd == 0


@pytest.mark.parametrize("chaos", [{}, {"failed_midway": 0.2, "refusal": 0.1, "reasoning": 0.1, "http_500": 0.1}])
def test_a_killed_job_ends_with_the_same_sums(
    folder: Path, provider: Simulator, run_job: RunJob, chaos: dict[str, float]
) -> None:
    """What a kill leaves in the ledger alone stands in the tables after the next run."""

    def kill(*_: Any) -> None:
        raise MemoryError("killed before the rows were written")

    fill(folder, 30)
    provider.settings.chaos = chaos
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.jobs.document_shard.write", kill)
        with pytest.raises(MemoryError):
            run_job(price=PRICE)
    asked = provider.counts.requests
    provider.settings.chaos = {}
    ran = run_job(price=PRICE)
    assert ran.code in (0, 3)
    assert provider.counts.requests >= asked
    assert_adds_up(ran, provider)


THOUGHT = {"reasoning_tokens": 1000}
USAGES: list[tuple[dict[str, Any], int, int]] = [
    ({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 41}, 32, 9),
    ({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 1041}, 32, 1009),
    ({"prompt_tokens": 32, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 1000}}, 32, 1009),
    (
        {"prompt_tokens": 32, "completion_tokens": 1009, "completion_tokens_details": {"reasoning_tokens": 1000}},
        32,
        1009,
    ),
    ({"prompt_tokens": "32", "completion_tokens": "9", "total_tokens": "1,041"}, 32, 1009),
    ({"input_tokens": 32, "output_tokens": 9}, 32, 9),
    ({"input_tokens": 2, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 10, "output_tokens": 9}, 32, 9),
    ({"prompt_tokens": 32, "prompt_tokens_details": {"cached_tokens": 30}, "completion_tokens": 9}, 32, 9),
    ({"prompt_tokens": 2, "prompt_tokens_details": {"cached_tokens": 30}, "completion_tokens": 9}, 32, 9),
    ({"prompt_tokens": 32, "completion_tokens": None, "total_tokens": 41}, 32, 9),
    ({"prompt_tokens": None, "completion_tokens": 9, "total_tokens": 41}, 32, 9),
    (
        {"prompt_tokens": 32, "completion_tokens": 9, "prompt_tokens_details": None, "completion_tokens_details": []},
        32,
        9,
    ),
    ({"prompt_tokens": 32, "completion_tokens": 9, "reasoning_tokens": "1000", "total_tokens": 1041}, 32, 1009),
    ({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 10**30}, 32, 9),
]


@pytest.mark.parametrize(("usage", "prompt", "written"), USAGES)
def test_usage_is_read_in_all_the_ways_in_which_servers_write_it(
    folder: Path, provider: Simulator, run_job: RunJob, usage: dict[str, Any], prompt: int, written: int
) -> None:
    put(folder, "a.txt", "A short text.")
    provider.settings.fault = lambda *_: web.json_response(completion("sim-model", "Fine.") | {"usage": usage})
    ran = run_job(price=PRICE, max_output_tokens=512)
    assert (ran.code, provider.counts.requests) == (0, 1)
    (row,) = ran.rows("calls")
    assert (row["prompt_tokens"], row["completion_tokens"]) == (prompt, written)
    assert row["cost_usd"] == pytest.approx(prompt * 10e-6 + written * 20e-6)
    assert row["finish_reason"] == "stop"  # reasoning beside the answer doesn't make it a cut-off one


CHAOS = st.dictionaries(st.sampled_from([*UNPAID, *USELESS]), st.floats(0.02, 0.2), max_size=6)


@pytest.fixture
def numbered(tmp_path: Path) -> Iterator[int]:
    return iter(range(1000))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chaos=CHAOS,
    hedge=st.booleans(),
    budget=st.sampled_from([None, 0.08, 5.0]),
    stop=st.none() | st.integers(1, 70),
)
def test_whatever_goes_wrong_the_sums_agree(
    folder: Path,
    provider: Simulator,
    run_job: RunJob,
    tmp_path: Path,
    numbered: Iterator[int],
    chaos: dict[str, float],
    *,
    hedge: bool,
    budget: float | None,
    stop: int | None,
) -> None:
    """All fault kinds at once, with and without a second request, a budget that ends in the middle, and a stop."""
    jobs: list[Job[Any]] = []

    def opened(job: Job[Any]) -> None:
        jobs.append(job)
        hasten(job)

    if not any(folder.iterdir()):
        fill(folder, 60)
        put(folder, "long.txt", prose(50_000))
    provider.settings.chaos = chaos
    provider.settings.fault = lambda number, _: jobs[0].stop(Interrupted(2)) if number == stop else None
    type(provider.counts).__init__(provider.counts)
    ran = run_job(
        opened=opened, price=PRICE, budget=budget, hedge=hedge, output=tmp_path / f"out{next(numbered)}", concurrency=8
    )
    assert ran.code in (0, 3, 4, 130)
    assert_adds_up(ran, provider)
    assert budget is None or paid(provider) + ran.record.totals.lost_cost_usd <= budget + 1e-9
