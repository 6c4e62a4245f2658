"""`--hedge`: the slowest few per cent are asked a second time, and both are paid for."""

from pathlib import Path

import pytest

from tests.conftest import RunJob, hasten
from tests.jobs.texts import fill
from tests.simulator import Simulator

SLOW = 3.0


def slow_now_and_then(number: int) -> float:
    """Every thirtieth request hangs about, once enough is known of the others."""
    return SLOW if number > 60 and number % 30 == 0 else 0.02


def test_a_slow_call_is_overtaken_and_counted_twice(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 200)
    provider.settings.delays = slow_now_and_then
    ran = run_job(opened=hasten, concurrency=8, hedge=True, price="10/20")
    rows = ran.rows("calls")
    assert (ran.code, ran.record.totals.done, len(rows)) == (0, 200, 200)
    assert provider.counts.requests > 200
    assert max(row["latency_ms"] for row in rows) < SLOW * 1000
    times = [row["cost_usd"] / (row["prompt_tokens"] * 10e-6 + row["completion_tokens"] * 20e-6) for row in rows]
    assert {round(number, 6) for number in times} == {1, 2}
    assert sum(times) == pytest.approx(provider.counts.requests)
    assert ran.record.totals.cost_usd == pytest.approx(sum(row["cost_usd"] for row in rows))


def test_without_it_a_slow_call_is_waited_for_and_asked_once(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 100)
    provider.settings.delays = slow_now_and_then
    ran = run_job(opened=hasten, concurrency=8)
    assert (ran.code, provider.counts.requests) == (0, 100)
    assert max(row["latency_ms"] for row in ran.rows("calls")) >= SLOW * 1000
