"""Runs of one result set: this one is tagged, those that a killed process left are crashed."""

from uuid import UUID

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
from prefect.client.schemas.objects import StateType
from prefect.runtime import flow_run
from prefect.states import Crashed

from tasks.results.location import Folder

ALIVE = [StateType.RUNNING, StateType.PENDING]
WORDS = "its process is gone: a later run holds the result set"


def claim_result_set(output: Folder) -> int:
    """Tag this run with its result set, and mark the others still RUNNING there as crashed.

    Call it while holding the result set's lock: whoever ran them is dead then.
    Return how many there were.
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
            client.set_flow_run_state(run.id, Crashed(message=WORDS), force=True)
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
        client.set_task_run_state(one.id, Crashed(message=WORDS), force=True)
