from pathlib import Path

import pytest

from tasks.jobs.options import Options
from tasks.jobs.plan import make_plan
from tasks.jobs.prepare import prepare
from tests.jobs.texts import prose, put


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
