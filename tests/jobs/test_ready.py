"""A job that was opened before its flow began is taken by that flow, once."""

import json
from pathlib import Path

import pytest

from tasks.jobs.opening import open_job
from tasks.jobs.options import Options
from tasks.jobs.prepare import prepare
from tasks.jobs.ready import offer, ready_job
from tests.jobs.texts import fill
from tests.simulator import Simulator


def options(output: Path) -> Options:
    return Options(output=output, provider="openai-compatible", model="sim-model")


@pytest.mark.usefixtures("provider")
def test_the_flow_takes_the_job_that_was_offered_and_leaves_it_open(folder: Path, tmp_path: Path) -> None:
    fill(folder, 1)
    wanted = options(tmp_path / "out")
    with open_job(prepare("summarize", [str(folder)], wanted)) as opened:
        offer(opened)
        with ready_job("summarize", [str(folder)], wanted, keys=lambda _: None) as job:
            assert job is opened
        assert job.ledger.seen(["000.txt"]) == {}
    with ready_job("summarize", [str(folder)], wanted, keys=lambda _: None) as again:
        assert again is not opened


@pytest.mark.usefixtures("provider")
def test_a_flow_of_other_options_opens_a_job_of_its_own(folder: Path, tmp_path: Path) -> None:
    fill(folder, 1)
    wanted = options(tmp_path / "out")
    with open_job(prepare("summarize", [str(folder)], wanted)) as opened:
        offer(opened)
        with ready_job("summarize", [str(folder)], options(tmp_path / "other"), keys=lambda _: None) as job:
            assert job is not opened
        with ready_job("summarize", [str(folder)], wanted, keys=lambda _: None) as job:
            assert job is opened


def test_a_job_that_ends_by_an_error_before_its_flow_begins_says_so(
    folder: Path, tmp_path: Path, provider: Simulator
) -> None:
    fill(folder, 1)
    with pytest.raises(RuntimeError), open_job(prepare("summarize", [str(folder)], options(tmp_path / "out"))):
        raise RuntimeError("no server")
    record = json.loads((tmp_path / "out" / "job.json").read_text(encoding="utf-8"))
    assert (record["status"], record["reason"]) == ("failed", "RuntimeError: no server")
    assert provider.counts.requests == 0
