"""`--hedge`: the slowest few per cent are asked a second time, and both are paid for."""

from pathlib import Path
from typing import Any

import pytest

from tasks.base.errors import Interrupted
from tasks.jobs.job import Job
from tasks.prompting.options import EmbedOptions
from tests.conftest import RunJob, hasten
from tests.jobs.money import assert_adds_up
from tests.jobs.texts import fill, prose, put
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
    used = [row for row in rows if row["error_kind"] is None]
    assert (ran.code, ran.record.totals.done, len(used)) == (0, 200, 200)
    assert provider.counts.requests == len(rows) > 200
    assert {row["error_kind"] for row in rows} == {None, "hedged"}
    assert max(row["latency_ms"] for row in used) < SLOW * 1000
    assert_adds_up(ran, provider)


def test_without_it_a_slow_call_is_waited_for_and_asked_once(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 100)
    provider.settings.delays = slow_now_and_then
    ran = run_job(opened=hasten, concurrency=8)
    assert (ran.code, provider.counts.requests) == (0, 100)
    assert max(row["latency_ms"] for row in ran.rows("calls")) >= SLOW * 1000


@pytest.mark.parametrize("drain", [60.0, 1.0])
@pytest.mark.parametrize("flow", ["summarize", "embed"])
def test_of_a_stopped_job_the_slower_ones_are_heard_out_or_lost(
    folder: Path, provider: Simulator, run_job: RunJob, flow: str, drain: float
) -> None:
    """Of documents with several calls: one of them is asked twice, another finds the job stopped."""
    for number in range(30):
        put(folder, f"{number}.txt", prose(60_000, number))
    jobs: list[Job] = []
    provider.settings.delays = lambda number: SLOW if number == 90 else 0.02
    provider.settings.fault = lambda number, _: jobs[0].stop(Interrupted(2), drain) if number == 110 else None

    def opened(job: Job) -> None:
        jobs.append(job)
        hasten(job)

    more: dict[str, Any] = {"kind": EmbedOptions, "inputs_per_request": 1} if flow == "embed" else {}
    ran = run_job(flow=flow, opened=opened, concurrency=4, hedge=True, price="10/20", **more)
    totals, paid = ran.record.totals, [row for row in ran.rows("calls") if not row["reused"]]
    assert ran.code == 130
    assert len(paid) + totals.lost_calls == provider.counts.requests
    assert totals.lost_calls == (drain < SLOW)
    assert [row["error_kind"] for row in paid].count("hedged") == (drain > SLOW)
    if drain > SLOW:
        assert_adds_up(ran, provider)
