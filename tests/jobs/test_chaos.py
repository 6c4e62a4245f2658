"""Every fault that a provider can have, at once: nothing is lost, nothing paid twice."""

from pathlib import Path

from tasks.jobs.job import Job
from tests.conftest import RunJob, hasten
from tests.jobs.texts import fill
from tests.simulator import FAULTS, Simulator


def impatient(job: Job) -> None:
    """Let nobody wait long: neither between attempts nor for an answer that never comes."""
    hasten(job)
    for answerer in job.answerers:
        answerer.client.dispatcher.exchanger.spread.deadline = lambda most: min(most, 1.0)  # type: ignore[method-assign]


def test_with_five_per_cent_of_each_fault_every_document_is_done_and_paid_once(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 150, 200)
    provider.settings.chaos = dict.fromkeys(FAULTS, 0.05)
    ran = run_job(opened=impatient, concurrency=100, patience=600)
    assert (ran.code, ran.record.totals.done, ran.rows("failures")) == (0, 150, [])
    assert set(provider.counts.answered.values()) == {1}
    assert len(provider.counts.faults) == len(FAULTS)  # all of them were met
    assert max(row["attempts"] for row in ran.rows("calls")) > 3
