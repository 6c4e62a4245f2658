"""The Prefect tasks of a job, and what the flows share."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, wait
from prefect.runtime import task_run
from prefect.states import Completed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from tasks.artifacts import leave_page, progress_shown
from tasks.documents.document import Document
from tasks.errors import JobStopped
from tasks.jobs.job import Job
from tasks.jobs.options import Options
from tasks.jobs.prune import prune
from tasks.jobs.ready import ready_job
from tasks.jobs.signals import interruptible
from tasks.jobs.work import shards_of, work_on
from tasks.results.job_file import JobRecord
from tasks.results.result_set import ResultSet
from tasks.secrets import block_key

# No telemetry, from whatever server is started for the flow: it inherits these.
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

# A slow document holds its shard open: others are begun meanwhile, up to so many.
SHARDS_AT_ONCE = 64
# The next shard is submitted when fewer documents than this wait to be read.
READ_AHEAD = 500
LOOK_AGAIN_SECONDS = 0.05
# Names of Prefect's states: those of a schedule may be watched for.
PAUSED, FAILURES = "JobPaused", "DocumentsFailed"
SHARD_RUNNER: TaskRunner[Any] = ThreadPoolTaskRunner(max_workers=SHARDS_AT_ONCE)

# The jobs open in this process: a task gets a job's id, never its client or loop.
OPEN_JOBS: dict[str, Job[Any]] = {}
# A shard's documents wait here: Prefect would walk through every one of a parameter's.
_WAITING: dict[tuple[str, int], list[Document]] = {}


@contextlib.contextmanager
def running_job(flow: str, inputs: Sequence[str], options: Options) -> Iterator[Job[Any]]:
    """Open a job for the block; SIGINT and SIGTERM stop it resumably."""
    with ready_job(flow, inputs, options, keys=block_key) as job, interruptible(job):
        OPEN_JOBS[job.ledger.job_id] = job
        try:
            yield job
        finally:
            del OPEN_JOBS[job.ledger.job_id]


def _shard_name() -> str:
    return f"shard {task_run.parameters['number']:05d}"


def _heals(_: object, __: object, state: State[Any]) -> bool:
    """Whether a shard is worth another try: a file system's hiccup, not a defect or a stopped job."""
    try:
        state.result()
    except OSError:
        return True
    except Exception:  # noqa: BLE001 - whatever it was, it is raised by the task itself
        return False
    return False


@task(
    name="answer shard",
    task_run_name=_shard_name,
    retries=1,
    retry_delay_seconds=5,
    retry_condition_fn=_heals,
    persist_result=False,
)
def answer_shard(job_id: str, number: int) -> int:
    """Answer one shard's documents and write their rows; return how many."""
    job = OPEN_JOBS[job_id]
    documents = _WAITING[job_id, number]
    written = job.run(work_on(job, number, documents))
    get_run_logger().info("%d of %d documents written; the others were there", written, len(documents))
    return written


def answer_shards(job: Job[Any]) -> None:
    """Submit a task run a shard, each before the ones before it run dry, and wait for them all."""
    with progress_shown(job):
        _answer_shards(job)


def _answer_shards(job: Job[Any]) -> None:
    under_way: dict[int, PrefectFuture[int]] = {}
    job_id = job.ledger.job_id
    try:
        for number, documents in enumerate(shards_of(job), 1):
            _WAITING[job_id, number] = documents
            under_way[number] = answer_shard.submit(job_id, number)
            while job.waiting.unread >= READ_AHEAD and not job.stopped():
                time.sleep(LOOK_AGAIN_SECONDS)
            _collect(job_id, under_way, [number for number, future in under_way.items() if future.state.is_final()])
        _collect(job_id, under_way, list(under_way))
    except BaseException as error:
        # The other shards still use the job: they end before it is closed.
        job.stop(JobStopped(str(error)))
        wait(list(under_way.values()))
        raise


def _collect(job_id: str, under_way: "dict[int, PrefectFuture[int]]", numbers: Sequence[int]) -> None:
    """Wait for shards, and forget them."""
    for number in numbers:
        try:
            under_way[number].result()
        finally:
            del _WAITING[job_id, number]
        del under_way[number]


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
