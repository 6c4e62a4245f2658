"""The comparison's command line, as a person uses it."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.tables import query
from tests.flows.test_command import ROOT, SECONDS, ended
from tests.jobs.texts import fill
from tests.providers.counterparts import VARIABLES
from tests.simulator import Settings, Simulator, serving

THREE = ("openrouter", "together", "openai-compatible")
Providers = dict[str, Simulator]


@pytest.fixture
def providers() -> Iterator[Providers]:
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(serving(Settings(context=8192, latency=0.2))) for name in THREE}


def environment(providers: Providers, prefect: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))}
    kept["PREFECT_API_URL"] = prefect
    for name, simulator in providers.items():
        key, base = VARIABLES[name]
        kept |= {key: simulator.settings.key or "none", base: simulator.url}
    return kept


def command(folder: Path, output: Path, *more: str) -> list[str]:
    words = [f"--routes={name}/sim-model" for name in THREE]
    words += [f"--price={name}/sim-model={number}/{number}" for number, name in enumerate(THREE, 1)]
    words += ["--context", "8192", "--concurrency", "1", "--output", str(output), "--json", *more]
    return [sys.executable, "-m", "flows.compare", str(folder), *words]


def run(words: list[str], providers: Providers, prefect: str) -> subprocess.CompletedProcess[str]:
    return ended(words, environment(providers, prefect))


def answered(providers: Providers) -> int:
    return sum(simulator.counts.answers for simulator in providers.values())


def test_a_plan_of_all_routes_is_one_object_and_calls_nobody(
    folder: Path, tmp_path: Path, providers: Providers, prefect: str
) -> None:
    fill(folder, 50)
    done = run(command(folder, tmp_path / "out", "--plan", "--sample", "4"), providers, prefect)
    plan = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert (plan["documents"], len(plan["sample"]), plan["calls"], len(plan["routes"])) == (50, 4, 12, 3)
    assert "openai-compatible/sim-model" in done.stderr
    assert answered(providers) == 0
    assert not (tmp_path / "out").exists()


def test_killed_halfway_and_started_again_only_calls_in_flight_are_repeated(
    folder: Path, tmp_path: Path, providers: Providers, prefect: str
) -> None:
    fill(folder, 12)
    words, output = command(folder, tmp_path / "out"), tmp_path / "out"
    process = subprocess.Popen(
        words, cwd=ROOT, env=environment(providers, prefect), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + SECONDS
    while providers["together"].counts.answers < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert json.loads((output / "comparison.json").read_text(encoding="utf-8"))["status"] == "running"
    done = run(words, providers, prefect)
    record = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert 30 <= answered(providers) <= 31
    assert record["status"] == "done"
    assert record["cost_usd"] > 0
    assert record["recommendation"]["cheapest"] == "openrouter/sim-model"
    assert "recommended" in done.stderr
    assert (output / "dashboard.html").as_uri() in done.stderr
    page = (output / "dashboard.html").read_text(encoding="utf-8")
    assert page.count('<div class="answers">') == 10
    places = f"from '{output}/comparison/*.parquet'"
    assert query(f"select route, done, failed, calls {places} order by price_in") == [
        (f"{name}/sim-model", 10, 0, 10) for name in THREE
    ]
    assert query(f"select count(*), count(distinct document_id) from '{output}/answers/*.parquet'") == [(30, 10)]
