"""The Prefect tasks of a job, and what the flows share."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.artifacts import leave_page, progress_shown
from tasks.jobs.job import Job
from tasks.prompting.options import Options
from tasks.results.job_file import JobRecord
from tasks.results.result_set import ResultSet
from tasks.running.handoff import ready_job
from tasks.running.prune import prune
from tasks.running.shards import shards_ahead
from tasks.running.signals import interruptible
from tasks.secrets import block_key
from tasks.shards import RunningJob, answer_all
from tasks.worker_runs import lead_workers

# No telemetry, from whatever server is started for the flow: it inherits these.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

# Names of Prefect's states: those of a schedule may be watched for.
PAUSED, FAILURES = "JobPaused", "DocumentsFailed"


@contextlib.contextmanager
def running_job(flow: str, inputs: Sequence[str], options: Options) -> Iterator[Job[Any]]:
    """Open a job for the block; SIGINT and SIGTERM stop it resumably."""
    with ready_job(flow, inputs, options, keys=block_key) as job, interruptible(job):
        yield job


def answer_shards(job: Job[Any]) -> None:
    """Have all shards answered, by threads of this process or by workers, and wait for them all."""
    with progress_shown(job):
        if job.prepared.options.runner == "threads":
            answer_all(job.ledger.job_id, RunningJob(job), shards_ahead(job))
        else:
            lead_workers(job)


def conclude(job: Job[Any]) -> ResultSet:
    """Drop what is gone, write job.json, the page and the artifacts; return what the run leaves."""
    prune(job)
    results = job.conclude()
    record = results.job
    if record.reason:
        get_run_logger().warning("job %s is %s: %s", record.job_id, record.status, record.reason)
    create_markdown_artifact(markdown(record), key=f"docmill-{record.flow}", description=f"Job {record.job_id}")
    return ended(replace(results, page=leave_page(job)))


def ended(results: ResultSet) -> ResultSet:
    """Return what a flow is to return: the results, in a state whose name tells Prefect how the job ended.

    Whoever calls the flow gets the results of a paused job too, so its state isn't a failed one.
    """
    totals, job = results.totals, results.job
    bad = totals.failed + totals.partial
    if job.status != "done":
        state: State[ResultSet] = Completed(name=PAUSED, message=job.reason, data=results)
    elif bad:
        state = Completed(name=FAILURES, message=f"{bad} of {totals.documents} documents: see failures", data=results)
    else:
        return results
    # Prefect takes the state for the run's, and gives the caller what is in it.
    return cast("ResultSet", state)


def markdown(record: JobRecord) -> str:
    """Return a job's summary as Markdown."""
    lines = [f"# {record.flow}: {record.status}", "", record.reason or "", "", "| | |", "|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {value} |" for name, value in _facts(record)]
    return "\n".join(lines)


def _facts(record: JobRecord) -> Iterator[tuple[str, object]]:
    yield "job", record.job_id
    totals = record.totals
    for name in totals.__slots__:
        yield name, getattr(totals, name)
