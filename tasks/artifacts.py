"""What Prefect's UI shows of a job: its progress while it runs, its tables and its page in the end.

None of it is needed by the job: where the server refuses or is away, the job goes on.
"""

import contextlib
import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import (
    create_link_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from tasks.jobs.job import Job
from tasks.jobs.meter import Meter
from tasks.pages.figures import milliseconds, money
from tasks.pages.job import place_of, write_job_page
from tasks.pages.job_facts import JobFacts, job_facts

UPDATE_SECONDS = 5.0
T = TypeVar("T")


@contextlib.contextmanager
def progress_shown(job: Job[Any], seconds: float = UPDATE_SECONDS) -> Iterator[None]:
    """Show how many of the documents are settled while the block runs, anew every few seconds and at its end."""
    flow, meter = job.prepared.flow, job.meter
    create = cast(Callable[..., UUID], create_progress_artifact)
    artifact = _tried(lambda: create(0.0, f"docmill-{flow}-progress", f"Job {job.ledger.job_id}"))
    if artifact is None:
        yield
        return
    update = cast(Callable[[UUID, float], None], update_progress_artifact)
    done = threading.Event()
    # Which server it is stands in the context, and a thread begins with an empty one.
    context = contextvars.copy_context()

    def keep_up() -> None:
        while not done.wait(seconds):
            _tried(lambda: update(artifact, percentage(meter)))

    thread = threading.Thread(target=context.run, args=(keep_up,), name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        _tried(lambda: update(artifact, percentage(meter)))


def percentage(meter: Meter) -> float:
    """Return how much of its documents a job has settled, from 0 to 100."""
    total = max(meter.expected_documents, meter.documents, meter.settled)
    return round(100 * meter.settled / total, 1) if total else 0.0


def leave_page(job: Job[Any]) -> str | None:
    """Write the job's page, and show what it tells as artifacts; return where it lies, or None where it can't be."""
    try:
        facts = job_facts(job.output)
        write_job_page(job.output, facts)
    except Exception as error:  # noqa: BLE001 - the job has come to its end: its tables are what counts
        get_run_logger().warning("the page of the job could not be made: %s: %s", type(error).__name__, error)
        return None
    place = place_of(job.output)
    _tried(lambda: _leave_artifacts(job.prepared.flow, facts, place))
    return place


def _leave_artifacts(flow: str, facts: JobFacts, place: str) -> None:
    about = f"Job {facts.record.get('job_id')}"
    create_link_artifact(place, "the job's page", key=f"docmill-{flow}-page", description=about)
    routes = [
        {
            "model": row.model,
            "provider": row.provider,
            "calls": row.calls,
            "failures": row.failures,
            "tokens in": row.prompt_tokens,
            "tokens out": row.completion_tokens,
            "cost": money(row.cost_usd),
            "p50": milliseconds(row.p50),
            "p99": milliseconds(row.p99),
        }
        for row in facts.routes
    ]
    if routes:
        create_table_artifact(routes, key=f"docmill-{flow}-routes", description=about)
    kinds = [{"kind": row.kind, "failures": row.failures, "documents": row.documents} for row in facts.kinds]
    if kinds:
        create_table_artifact(kinds, key=f"docmill-{flow}-failures", description=about)


def _tried(show: Callable[[], T]) -> T | None:
    """Return what it returns, or None where Prefect can't be reached or refuses."""
    try:
        return show()
    except Exception as error:  # noqa: BLE001 - as the module says
        get_run_logger().debug("an artifact could not be shown: %s", error)
        return None
