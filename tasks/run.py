"""The Prefect tasks of a job, and what the flows share."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import State, StateType
from prefect.runtime import flow_run
from prefect.states import Completed, Crashed

from tasks.artifacts import leave_page, progress_shown
from tasks.base.settings import Settings
from tasks.jobs.job import Job
from tasks.prefect_server import block_key
from tasks.prompting.options import Options
from tasks.results.job_file import JobRecord
from tasks.results.location import Folder
from tasks.results.result_set import ResultSet
from tasks.running.handoff import ready_job
from tasks.running.prune import prune
from tasks.running.shards import shards_ahead
from tasks.running.signals import interruptible
from tasks.shard_tasks import RunningJob, answer_all
from tasks.worker_runs import lead_workers

# Names of Prefect's states, by which a schedule may be monitored.
PAUSED, FAILURES = "JobPaused", "DocumentsFailed"
ALIVE = [StateType.RUNNING, StateType.PENDING]
PROCESS_GONE = "its process is gone: a later run holds the result set"


@contextlib.contextmanager
def running_job(flow: str, inputs: Sequence[str], options: Options) -> Iterator[Job[Any]]:
    """Open a job for the block; SIGINT and SIGTERM stop it resumably."""
    with ready_job(flow, inputs, options, Settings.read(block_key)) as job, interruptible(job):
        yield job


@contextlib.contextmanager
def claimed_job(flow: str, inputs: Sequence[str], options: Options) -> Iterator[Job[Any]]:
    """Open a job for the block as the only run of its result set, and mark runs of killed processes as crashed."""
    with running_job(flow, inputs, options) as job:
        crashed = claim_result_set(job.output)
        get_run_logger().info("job %s; %d stale runs marked as crashed", job.ledger.job_id, crashed)
        yield job


def claim_result_set(output: Folder) -> int:
    """Tag this run with its result set, and mark others that are still RUNNING there as crashed; return their number.

    Call it while holding the result set's lock, which proves that their processes are dead.
    """
    tag = f"docmill:{output.identity}"
    me = UUID(flow_run.get_id())
    with get_client(sync_client=True) as client:
        client.update_flow_run(me, tags=[*flow_run.get_tags(), tag])
        stale = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                tags=FlowRunFilterTags(all_=[tag]),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=ALIVE)),
                id=FlowRunFilterId(not_any_=[me]),
            )
        )
        for run in stale:
            client.set_flow_run_state(run.id, Crashed(message=PROCESS_GONE), force=True)
            _crash_tasks(client, run.id)
    return len(stale)


def _crash_tasks(client: SyncPrefectClient, run: UUID) -> None:
    tasks = client.read_task_runs(
        task_run_filter=TaskRunFilter(
            flow_run_id=TaskRunFilterFlowRunId(any_=[run]),
            state=TaskRunFilterState(type=TaskRunFilterStateType(any_=ALIVE)),
        )
    )
    for one in tasks:
        client.set_task_run_state(one.id, Crashed(message=PROCESS_GONE), force=True)


def answer_shards(job: Job[Any]) -> None:
    """Answer all shards, by threads of this process or by workers, and wait for them all."""
    with progress_shown(job):
        if job.prepared.options.runner == "threads":
            answer_all(job.ledger.job_id, RunningJob(job), shards_ahead(job))
        else:
            lead_workers(job)


def conclude(job: Job[Any]) -> ResultSet:
    """Prune documents, write job.json, the page and the artifacts; return the result set."""
    prune(job)
    results = job.conclude()
    record = results.job
    if record.reason:
        get_run_logger().warning("job %s is %s: %s", record.job_id, record.status, record.reason)
    create_markdown_artifact(markdown(record), key=f"docmill-{record.flow}", description=f"Job {record.job_id}")
    return ended(replace(results, page=leave_page(job)))


def ended(results: ResultSet) -> ResultSet:
    """Return a flow's return value: the results, in a state whose name shows Prefect how the job ended.

    The flow's caller gets the results of a paused job, too, so its state isn't a failed one.
    """
    totals, job = results.totals, results.job
    bad = totals.failed + totals.partial
    if job.status != "done":
        state: State[ResultSet] = Completed(name=PAUSED, message=job.reason, data=results)
    elif bad:
        state = Completed(name=FAILURES, message=f"{bad} of {totals.documents} documents: see failures", data=results)
    else:
        return results
    # Prefect uses the state for the run, and gives its data to the caller.
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
