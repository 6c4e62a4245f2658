"""A route that counts more than we do: what its answers tell makes the budget smaller, and nothing is paid twice."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.base.errors import Interrupted
from tasks.calls.token_calibration import LONG, OURS, TokenCalibration, TokenMeasure
from tasks.chunking.tokenizer import BytePairs, load_tokenizer
from tasks.jobs.job import Job
from tasks.ledger.state import LocalState
from tests.conftest import Ran, RunJob, hasten
from tests.jobs.texts import prose, put
from tests.simulator import Simulator, error

MODEL = "mistral-nemo"
WINDOW = 8192


def counting(ratio: float, extra: int = 0) -> Callable[[dict[str, Any]], int]:
    count = load_tokenizer("tekken-240718").count

    def counted(body: dict[str, Any]) -> int:
        return int(ratio * sum(count(turn["content"]) + 4 for turn in body["messages"])) + extra

    return counted


@pytest.fixture
def measures(tmp_path: Path) -> TokenCalibration:
    return TokenCalibration(LocalState(tmp_path), "route")


def test_what_counts_no_more_than_we_do_changes_nothing(measures: TokenCalibration) -> None:
    for counted, told in ((10, 10), (5000, 4999), (LONG, LONG), (5000, 11_000)):
        measures.learn(counted, told)
    assert measures.all == [OURS]
    assert OURS.most(1000) == 1000


def test_a_short_prompt_tells_what_is_put_around_each_and_a_long_one_the_ratio(measures: TokenCalibration) -> None:
    measures.learn(100, 300)
    assert measures.latest == TokenMeasure(202, 1.0)
    measures.learn(5000, 5150)  # within what was learned
    assert measures.latest == TokenMeasure(202, 1.0)
    measures.learn(5000, 6000)
    assert measures.latest == TokenMeasure(202, 1.22)
    assert measures.latest.most(6100) == 5000


def test_what_was_learned_is_kept_for_the_route_and_a_half_written_line_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "measures.jsonl"
    TokenCalibration(LocalState(tmp_path), "route").learn(5000, 6000)
    TokenCalibration(LocalState(tmp_path), "other").learn(100, 200)
    with path.open("a") as file:
        file.write('["route", 1')
    assert TokenCalibration(LocalState(tmp_path), "route").all == [OURS, TokenMeasure(0, 1.22)]


def test_what_another_process_has_learned_is_taken_in(tmp_path: Path) -> None:
    mine, theirs = TokenCalibration(LocalState(tmp_path), "route"), TokenCalibration(LocalState(tmp_path), "route")
    mine.learn(100, 150)
    theirs.learn(5000, 6000)
    mine.look_again()
    assert mine.all == [OURS, TokenMeasure(51, 1.0), TokenMeasure(0, 1.22)]
    mine.look_again()
    assert len(mine.all) == 3


@pytest.mark.parametrize(
    ("said", "ratio"),
    [
        ("This model's maximum context length is 4096 tokens. However, you requested 8100 tokens", 8192 / 4096 * 1.01),
        ("HTTP 400: InvalidParameter Range of input length should be [1, 4096]", 8192 / 4096 * 1.01),
        ("Range of input length should be [1, 30720]", 1.5),
        ("HTTP 400: context_length_exceeded prompt is too long", 1.5),
        ("maximum context length is 8192 tokens", 1.5),
    ],
)
def test_an_overflow_tells_the_window_or_makes_chunks_smaller_by_a_third(
    measures: TokenCalibration, said: str, ratio: float
) -> None:
    measures.overflowed(OURS, 8192, said)
    assert measures.latest.ratio == pytest.approx(ratio, abs=1e-3)
    measures.overflowed(OURS, 8192, said)
    assert len(measures.all) == 2


@pytest.mark.parametrize(("ratio", "extra"), [(1.0, 700), (1.3, 0)])
def test_a_provider_with_another_template_or_tokenizer_overflows_only_before_it_is_known(
    folder: Path, provider: Simulator, run_job: RunJob, ratio: float, extra: int
) -> None:
    provider.settings.models = (MODEL,)
    provider.settings.count = counting(ratio, extra)
    put(folder, "0-first.txt", prose(9000))
    for number in range(6):
        put(folder, f"long-{number}.txt", prose(90_000, number))
    ran = run_job(model=MODEL, concurrency=1)
    assert ran.code == 0
    assert all(row["covered_characters"] == row["characters"] for row in ran.documents.values())
    refused = provider.counts.requests - provider.counts.answers
    put(folder, "one-more.txt", prose(90_000, "more"))
    assert run_job(model=MODEL).code == 0
    assert provider.counts.requests - provider.counts.answers == refused


def test_documents_that_overflow_are_cut_again_and_none_is_lost(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.models = (MODEL,)
    provider.settings.tell_window = False
    provider.settings.context = 4096  # half of what the user believes
    for number in range(3):
        put(folder, f"{number}.txt", prose(60_000, number))
    ran = run_job(model=MODEL, context=WINDOW)
    assert ran.code == 0
    assert [row["status"] for row in ran.documents.values()] == ["done"] * 3
    assert ran.rows("failures") == []


def test_what_overflows_however_small_it_is_cut_is_a_failure(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.models = (MODEL,)
    provider.settings.count = lambda _: 10**6
    put(folder, "a.txt", prose(30_000))
    ran = run_job(model=MODEL)
    assert ran.code == 3
    (failure,) = {row["error_kind"] for row in ran.rows("failures")}
    assert failure in ("context_overflow", "does_not_fit")


@pytest.mark.parametrize("calls", [3, 9, 17])
def test_a_job_killed_after_it_has_learned_pays_for_nothing_again(
    folder: Path, provider: Simulator, run_job: RunJob, calls: int
) -> None:
    provider.settings.models = (MODEL,)
    provider.settings.count = counting(1.2)
    for number in range(5):
        put(folder, f"{number}.txt", prose(70_000, number))

    def stopping(job: Job) -> None:
        hasten(job)
        provider.settings.fault = lambda number, _: job.stop(Interrupted(2)) if number >= calls else None

    first: Ran = run_job(stopping, model=MODEL, concurrency=1)
    assert first.code == 130
    ran = run_job(model=MODEL, concurrency=1)
    assert ran.code == 0
    assert max(provider.counts.answered.values()) == 1
    assert {row["document_id"] for row in ran.rows("documents")} == {f"{number}.txt" for number in range(5)}
    assert json.loads((ran.output / ".docmill" / "measures.jsonl").read_text().split("\n\n")[0])


def test_a_damaged_file_of_measures_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "measures.jsonl"
    path.write_bytes(b'["x\xff\n["route", 0, 0.0]\n["route", 0, NaN]\n["route", -5, 1.0]\n["route", 5]\n["ro')
    measures = TokenCalibration(LocalState(tmp_path), "route")
    assert measures.all == [OURS]
    measures.learn(5000, 6000)
    assert TokenCalibration(LocalState(tmp_path), "route").all == [OURS, TokenMeasure(0, 1.22)]


def test_a_budget_holds_where_the_route_counts_more(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    provider.settings.models = (MODEL,)
    provider.settings.count = counting(1.8)
    for number in range(40):
        put(folder, f"{number}.txt", prose(9000, number))
    ran = run_job(model=MODEL, budget=0.06, price="1/1", concurrency=8)
    assert ran.code == 4
    assert ran.record.totals.cost_usd is not None
    assert ran.record.totals.cost_usd <= 0.06


def test_a_reduce_that_is_refused_as_too_long_asks_over_no_chunk_again(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    refused: list[int] = []

    def refuse(number: int, body: dict[str, Any]) -> Any:
        text = body["messages"][0]["content"]
        if "<parts>" in text and len(text.split()) > 3000:
            refused.append(number)
            return error(400, "too many tokens", "context_length_exceeded")
        return None

    provider.settings.models = (MODEL,)
    provider.settings.write = lambda body: f"{len(str(body))} " + "word " * (500 if "<parts>" not in str(body) else 5)
    provider.settings.fault = refuse
    put(folder, "a.txt", prose(240_000))
    ran = run_job(model=MODEL)
    assert ran.code == 0
    assert refused
    maps = [row for row in ran.rows("calls") if row["stage"] == "map"]
    assert len(maps) == ran.documents["a.txt"]["chunks"]
    assert ran.rows("failures") == []


def test_a_text_that_surely_fits_is_sent_without_being_counted(
    folder: Path, provider: Simulator, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.settings.models = ("mistral-nemo",)
    put(folder, "a.txt", prose(2000))
    counted: list[int] = []
    count = BytePairs.count

    def noted(self: BytePairs, text: str) -> int:
        counted.append(len(text))
        return count(self, text)

    monkeypatch.setattr(BytePairs, "count", noted)
    monkeypatch.setattr(BytePairs, "sizes", lambda _, text: counted.append(len(text)))
    assert run_job(model="mistral-nemo").code == 0
    assert all(length < 2000 for length in counted)  # templates alone


def test_what_a_provider_does_not_count_is_counted_here_and_not_bounded(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.models, provider.settings.usage = ("mistral-nemo",), False
    put(folder, "a.txt", prose(2000))
    ran = run_job(model="mistral-nemo", price="1/1")
    tokens = ran.documents["a.txt"]["prompt_tokens"]
    prompt = provider.counts.prompts[0]["messages"][0]["content"]
    assert load_tokenizer("tekken-240718").count(prompt) <= tokens <= load_tokenizer("tekken-240718").count(prompt) + 20


def test_a_text_that_fits_to_the_last_token_of_its_bound_is_asked_whole(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    """Just below the bound, just above it, and far above: one call in all cases where it fits."""
    provider.settings.models = ("mistral-nemo",)
    for size in (700, 900, 2500):
        put(folder, f"{size}.txt", prose(size))
    ran = run_job(model="mistral-nemo", context=1500, max_output_tokens=100)
    assert {name: (row["status"], row["calls"]) for name, row in ran.documents.items()} == {
        f"{size}.txt": ("done", 1) for size in (700, 900, 2500)
    }
