import sys
from pathlib import Path

import pytest

from tasks.base.errors import Interrupted
from tasks.documents.readers import grammars
from tasks.documents.readers.read import read
from tasks.jobs.job import Job
from tasks.planning import plan as planning
from tasks.planning.plan import make_plan
from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tests.conftest import RunJob, hasten
from tests.jobs.test_measure import counting
from tests.jobs.texts import prose, put
from tests.simulator import Simulator


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize(
    ("short", "long", "words"),
    [
        (2, 0, "auto: every document fits in one call ("),
        (0, 1, "auto: map-reduce, no document fits in one call ("),
        (3, 2, "auto: one call for 3 documents that fit in it ("),
    ],
)
def test_the_plan_says_which_strategy_auto_takes_and_why(
    tmp_path: Path, folder: Path, short: int, long: int, words: str
) -> None:
    for number in range(short):
        put(folder, f"short{number}.txt", prose(500))
    for number in range(long):
        put(folder, f"long{number}.txt", prose(40_000))
    (folder / "blank.txt").write_text(" ")
    options = Options(output=tmp_path / "out", provider="openai-compatible", model="sim-model")
    plan = make_plan(prepare("summarize", [str(folder)], options))
    assert plan.strategy.startswith(words)
    assert "tokens of text)" in plan.strategy
    if short and long:
        assert plan.strategy.endswith("map-reduce for the 2 others")


@pytest.mark.parametrize("strategy", ["auto", "refine"])
def test_the_plan_s_calls_are_exact_its_tokens_near_and_its_price_right(
    tmp_path: Path, folder: Path, provider: Simulator, run_job: RunJob, strategy: str
) -> None:
    provider.settings.models = ("mistral-nemo",)
    provider.settings.count = counting(1.0)
    provider.settings.answer = "An answer of some words, as long as a short one is, about {prompt_sha}."
    for number in range(30):
        put(folder, f"{number:02d}.txt", prose(500 + 4000 * (number % 25), number))
    words = {"model": "mistral-nemo", "price": "0.3/0.3", "strategy": strategy}
    options = Options(output=tmp_path / "out", provider="openai-compatible", **words)
    plan = make_plan(prepare("summarize", [str(folder)], options))
    ran = run_job(**words)
    totals = ran.record.totals
    assert totals.calls == plan.calls
    assert totals.prompt_tokens == pytest.approx(plan.prompt_tokens, rel=0.02 if strategy == "auto" else 0.06)
    assert plan.price_low is not None
    assert plan.price_high is not None
    assert totals.cost_usd is not None
    assert plan.price_low <= totals.cost_usd <= plan.price_high
    again = make_plan(prepare("summarize", [str(folder)], options))
    assert (again.unchanged, again.calls, again.price_high) == (30, 0, 0.0)


def test_a_plan_over_a_part_says_how_far_it_may_be_off(
    tmp_path: Path, folder: Path, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.settings.models = ("mistral-nemo",)
    for number in range(200):
        put(folder, f"{number:03d}.txt", prose(500 + 50 * (number % 17), number))
    options = Options(output=tmp_path / "out", provider="openai-compatible", model="mistral-nemo")
    prepared = prepare("summarize", [str(folder)], options)
    whole = make_plan(prepared)
    monkeypatch.setattr(planning, "PLAN_BYTES", 40_000)
    part = make_plan(prepared)
    assert (whole.exact, whole.error) == (True, 0.0)
    assert not part.exact
    assert part.documents == 200
    assert 0 < part.error < 0.2
    assert part.prompt_tokens == pytest.approx(whole.prompt_tokens, rel=0.15)


def test_the_plan_tells_answers_that_a_stopped_job_has_paid(
    tmp_path: Path, folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    put(folder, "long.txt", prose(90_000))

    def stopping(job: Job) -> None:
        hasten(job)
        provider.settings.fault = lambda number, _: job.stop(Interrupted(2)) if number == 4 else None

    assert run_job(stopping, concurrency=1).code == 130
    chosen = {"output": tmp_path / "out", "provider": "openai-compatible", "model": "sim-model"}
    plan = make_plan(prepare("summarize", [str(folder)], Options(**chosen, concurrency=1, patience=0.0)))
    assert plan.kept_answers == provider.counts.answers > 0


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("is_there", [True, False])
def test_source_code_without_its_grammars_is_plain_text_and_the_plan_says_so(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, *, is_there: bool
) -> None:
    monkeypatch.setattr(grammars, "_is_there", lambda _: is_there)
    for number in range(3):
        put(folder, f"{number}.py", "def one():\n    return 1\n")
    put(folder, "a.txt", "def two")
    options = Options(output=tmp_path / "out", provider="openai-compatible", model="sim-model")
    plan = make_plan(prepare("summarize", [str(folder)], options))
    assert [note.startswith("3 files of source code are cut as plain text: pip install") for note in plan.notes] == (
        [] if is_there else [True]
    )


def test_code_is_read_as_it_stands_without_a_grammar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tree_sitter", None)
    monkeypatch.delitem(sys.modules, "tasks.documents.readers.code", raising=False)
    content = read(b"def one():\n    return 1\n", "code", "a.py")
    assert (content.text, content.code, content.sections) == ("def one():\n    return 1\n", False, ())
