"""Five simulated providers, and comparisons run over them as the flow does, without Prefect."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tasks.comparison.compared_routes import prepare_comparison
from tasks.comparison.comparison_plan import make_comparison_plan
from tasks.comparison.comparison_result import ComparisonSet
from tasks.comparison.run_comparison import open_comparison
from tasks.jobs.job import Job
from tasks.prompting.options import CompareOptions
from tasks.running import opening
from tasks.running.opening import open_job
from tasks.running.shards import shards_of, work_on
from tests.conftest import hasten
from tests.providers.counterparts import VARIABLES
from tests.simulator import Settings, Simulator, serving

FIVE = ("openrouter", "together", "deepinfra", "mistral", "openai-compatible")
# USD per million tokens, in and out.
PRICES = {
    "openrouter": (1, 2),
    "together": (2, 4),
    "deepinfra": (4, 8),
    "mistral": (8, 16),
    "openai-compatible": (3, 6),
}
Compare = Callable[..., ComparisonSet]


def label(provider: str) -> str:
    return f"{provider}/sim-model"


def paid(provider: str, simulator: Simulator) -> float:
    """What all answers of a provider cost, as it counts them."""
    price, counts = PRICES[provider], simulator.counts
    return (counts.prompt_tokens * price[0] + counts.completion_tokens * price[1]) / 1e6


def total(five: Mapping[str, Simulator]) -> float:
    return sum(paid(name, simulator) for name, simulator in five.items())


def requests(five: Mapping[str, Simulator]) -> int:
    return sum(simulator.counts.requests for simulator in five.values())


@pytest.fixture
def five(no_keys: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Simulator]]:
    with contextlib.ExitStack() as stack:
        found = {name: stack.enter_context(serving(Settings(context=8192))) for name in FIVE}
        for name, simulator in found.items():
            key, base = VARIABLES[name]
            monkeypatch.setenv(key, simulator.settings.key or "none")
            monkeypatch.setenv(base, simulator.url)
        yield found


@pytest.fixture
def options(tmp_path: Path) -> Callable[..., CompareOptions]:
    """Return the options of a comparison of the five, with changes."""

    def make(**words: Any) -> CompareOptions:
        chosen = {
            "output": tmp_path / "out",
            "routes": tuple(map(label, FIVE)),
            "prices": tuple(f"{label(name)}={one}/{other}" for name, (one, other) in PRICES.items()),
            "context": 8192,
            "patience": 0.0,
        } | words
        return CompareOptions(**chosen)

    return make


@pytest.fixture
def compare(
    tmp_path: Path, folder: Path, options: Callable[..., CompareOptions], monkeypatch: pytest.MonkeyPatch
) -> Compare:
    """Run a whole comparison over `folder`; `opened` is called with each route's job."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(opening, "calm_collector", nullcontext)

    def run(opened: Callable[[Job], None] = hasten, source: Path = folder, **words: Any) -> ComparisonSet:
        compares = prepare_comparison([str(source)], options(**words))
        with open_comparison(compares, make_comparison_plan(compares, quick=True)) as comparison:
            for name, prepared in comparison.jobs():
                with open_job(prepared) as job:
                    opened(job)
                    for shard in shards_of(job):
                        job.run(work_on(job, shard))
                    job.conclude()
                    comparison.asked(name, job.stopped())
            return comparison.conclude()

    return run
