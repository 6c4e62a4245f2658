"""Documents that are written anew part by part: nothing is left out or doubled, and each part stands in its place."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from tasks.base.errors import UserMistake
from tasks.planning.plan import make_plan
from tasks.planning.prepare import prepare
from tasks.prompting.options import ExtractOptions, StrategyName, TransformOptions
from tasks.strategies.named import STRATEGIES
from tests.conftest import Ran, RunJob
from tests.jobs.texts import fill, prose, put
from tests.simulator import Simulator, error


@pytest.fixture
def transformed(run_job: RunJob) -> RunJob:
    """Run a transforming job over the folder."""

    def run(**words: Any) -> Ran:
        return run_job(flow="transform", kind=TransformOptions, **{"to": "French", **words})

    return run


def passage(body: dict[str, Any]) -> str:
    found = re.search(r"<document>\n(.*)\n</document>", body["messages"][0]["content"], re.DOTALL)
    assert found is not None
    return found[1]


def test_a_model_that_repeats_its_text_gives_the_whole_document_back(
    folder: Path, provider: Simulator, transformed: RunJob
) -> None:
    text = "\n\n".join(f"# Chapter {number}\n\n{prose(9_000, number)}" for number in range(8))
    put(folder, "long.md", text)
    put(folder, "short.txt", "A short text.")
    provider.settings.write = passage
    ran = transformed()
    long, short = ran.documents["long.md"], ran.documents["short.txt"]
    assert (ran.code, long["status"], short["output"]) == (0, "done", "A short text.")
    assert long["output"] == text.strip()
    assert long["covered_characters"] == long["characters"]
    assert long["chunks"] == long["calls"] > 10
    assert {row["stage"] for row in ran.rows("calls")} == {"map"}
    assert "into French" in provider.counts.prompts[0]["messages"][0]["content"]


def test_what_failed_is_missing_and_said(folder: Path, provider: Simulator, transformed: RunJob) -> None:
    put(folder, "long.txt", f"{prose(15_000, 1)}\n\nPOISON.\n\n{prose(15_000, 2)}")
    provider.settings.write = passage
    provider.settings.fault = lambda _, body: error(400, "cannot") if "POISON" in str(body) else None
    ran = transformed()
    row = ran.documents["long.txt"]
    assert (ran.code, row["status"]) == (3, "partial")
    assert 0 < row["covered_characters"] < row["characters"]
    assert "POISON" not in row["output"]
    assert len(ran.rows("failures")) == 1


def test_an_answer_that_is_longer_than_its_limit_is_continued(
    folder: Path, provider: Simulator, transformed: RunJob
) -> None:
    put(folder, "a.txt", "One.")
    provider.settings.finish = lambda body: "length" if len(body["messages"]) == 1 else "stop"
    provider.settings.write = lambda body: "Un " if len(body["messages"]) == 1 else "seul."
    assert transformed().documents["a.txt"]["output"] == "Un seul."


def test_a_chunk_leaves_its_answer_room_to_be_longer(folder: Path, provider: Simulator, transformed: RunJob) -> None:
    put(folder, "long.txt", prose(40_000))
    provider.settings.write = passage
    ran = transformed(max_output_tokens=400)
    assert max(row["completion_tokens"] for row in ran.rows("calls")) <= 300
    assert ran.documents["long.txt"]["output"] == prose(40_000).strip()


def test_a_prompt_of_ones_own_says_what_to_make_of_each_part(
    tmp_path: Path, folder: Path, provider: Simulator, transformed: RunJob
) -> None:
    path = tmp_path / "shout.txt"
    path.write_text("<document>\n{text}\n</document>\n\nWrite it in capitals.", encoding="utf-8")
    put(folder, "long.txt", prose(20_000))
    provider.settings.write = lambda body: passage(body).upper()
    ran = transformed(to=None, prompt=path)
    assert ran.documents["long.txt"]["output"] == prose(20_000).strip().upper()


def test_the_plan_foresees_answers_as_long_as_the_texts(folder: Path, provider: Simulator) -> None:
    fill(folder, 5, 400)
    put(folder, "long.txt", prose(40_000))
    options = TransformOptions(provider="openai-compatible", model="sim-model", to="French", price="10/20")
    plan = make_plan(prepare("transform", [str(folder)], options))
    assert plan.strategy.startswith("concatenate")
    assert plan.completion_expected < plan.prompt_tokens < 2 * plan.completion_expected
    assert provider.counts.requests == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (TransformOptions(), "--to LANGUAGE"),
        (TransformOptions(to="French", prompt=Path("a.txt")), "--to LANGUAGE"),
        (ExtractOptions(json_schema="a.json", strategy="concatenate"), "--merge"),
        (ExtractOptions(), "--schema"),
    ],
)
def test_options_that_do_not_go_together_are_a_mistake(options: TransformOptions | ExtractOptions, words: str) -> None:
    with pytest.raises(UserMistake, match=words):
        options.check()


def test_the_options_name_every_strategy() -> None:
    assert set(get_args(StrategyName)) == set(STRATEGIES)
