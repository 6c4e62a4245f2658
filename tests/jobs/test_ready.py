"""A job that was opened before its flow began is taken by that flow, once."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tasks.base.errors import InUse
from tasks.jobs.job import Job
from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tasks.running.handoff import offer, ready_job
from tasks.running.opening import open_job
from tests.jobs.texts import fill
from tests.simulator import Simulator


def options(output: Path) -> Options:
    return Options(output=output, provider="openai-compatible", model="sim-model")


@pytest.fixture
def offered(folder: Path, tmp_path: Path, provider: Simulator) -> Iterator[Job[Any]]:
    """A job that was opened and offered."""
    fill(folder, 1)
    with open_job(prepare("summarize", [str(folder)], options(tmp_path / "out"))) as opened:
        offer(opened)
        yield opened


def taken(folder: Path, output: Path) -> AbstractContextManager[Job[Any]]:
    return ready_job("summarize", [str(folder)], options(output))


def test_the_flow_takes_the_job_that_was_offered_and_leaves_it_open(
    offered: Job[Any], folder: Path, tmp_path: Path
) -> None:
    with taken(folder, tmp_path / "out") as job:
        assert job is offered
    assert offered.ledger.seen(["000.txt"]) == {}
    with pytest.raises(InUse), taken(folder, tmp_path / "out"):
        pass  # it would be another one, and that is held


def test_a_flow_of_other_options_opens_a_job_of_its_own(offered: Job[Any], folder: Path, tmp_path: Path) -> None:
    with taken(folder, tmp_path / "other") as job:
        assert job is not offered
    with taken(folder, tmp_path / "out") as job:
        assert job is offered


def test_a_job_that_ends_by_an_error_before_its_flow_begins_says_so(
    folder: Path, tmp_path: Path, provider: Simulator
) -> None:
    fill(folder, 1)
    with pytest.raises(RuntimeError), open_job(prepare("summarize", [str(folder)], options(tmp_path / "out"))):
        raise RuntimeError("no server")
    record = json.loads((tmp_path / "out" / "job.json").read_text(encoding="utf-8"))
    assert (record["status"], record["reason"]) == ("failed", "RuntimeError: no server")
    assert provider.counts.requests == 0
