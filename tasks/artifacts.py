"""What Prefect's UI shows of a job: its progress while it runs, its tables and its page in the end.

The job doesn't depend on it: if the server refuses or can't be reached, the job continues.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import (
    create_link_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from tasks.base.repeated import repeated
from tasks.calls.progress import Meter
from tasks.comparison.comparison_records import ComparedAnswer, Comparison
from tasks.jobs.job import Job
from tasks.monitoring.health_records import Health
from tasks.pages.comparison_page import write_comparison_page
from tasks.pages.figures import duration, milliseconds, money
from tasks.pages.health_page import write_health_page
from tasks.pages.job_facts import JobFacts, job_facts
from tasks.pages.job_page import write_job_page
from tasks.pages.page import place_of
from tasks.results.location import Folder, folder_at

UPDATE_SECONDS = 5.0
T = TypeVar("T")


@contextlib.contextmanager
def progress_shown(job: Job[Any], seconds: float = UPDATE_SECONDS) -> Iterator[None]:
    """Show the share of settled documents while the block runs, updated every few seconds and at its end."""
    flow, meter = job.prepared.flow, job.meter
    create = cast(Callable[..., UUID], create_progress_artifact)
    artifact = _tried(lambda: create(0.0, f"docmill-{flow}-progress", f"Job {job.ledger.job_id}"))
    if artifact is None:
        yield
        return
    update = cast(Callable[[UUID, float], None], update_progress_artifact)

    def keep_up() -> None:
        _tried(lambda: update(artifact, percentage(meter)))

    try:
        with repeated(keep_up, seconds):
            yield
    finally:
        keep_up()


def percentage(meter: Meter) -> float:
    """Return how much of its documents a job has settled, from 0 to 100."""
    total = max(meter.expected_documents, meter.documents, meter.settled)
    return round(100 * meter.settled / total, 1) if total else 0.0


def leave_page(job: Job[Any]) -> str | None:
    """Write the job's page, and show what it tells as artifacts; return where it lies, or None where it can't be."""

    def write() -> JobFacts:
        facts = job_facts(job.output)
        write_job_page(job.output, facts)
        return facts

    facts = _tried(write, "the page of the job could not be made")
    if facts is None:
        return None
    place = place_of(job.output)
    _tried(lambda: _leave_artifacts(job.prepared.flow, facts, place))
    return place


def leave_comparison_page(folder: Folder, comparison: Comparison, answers: Sequence[ComparedAnswer]) -> str | None:
    """Write the page of a comparison, and show its routes as artifacts; return where it lies, or None."""

    def write() -> str:
        write_comparison_page(folder, comparison, answers)
        return place_of(folder)

    place = _tried(write, "the page of the comparison could not be made")
    if place is not None:
        _tried(lambda: _leave_comparison(comparison, place))
    return place


def leave_health_page(place: str, health: Health) -> str | None:
    """Write the page of all routes into a folder, with its link as an artifact; return where it lies, or None."""

    def write() -> str:
        folder = folder_at(place)
        folder.make([])
        write_health_page(folder, health)
        return place_of(folder)

    page = _tried(write, "the page of the routes could not be made")
    if page is not None:
        _tried(lambda: create_link_artifact(page, "the routes' page", key="docmill-monitor-page", description="Routes"))
    return page


def _leave_comparison(comparison: Comparison, place: str) -> None:
    about = f"Comparison {comparison.comparison_id}"
    create_link_artifact(place, "the comparison's page", key="docmill-compare-page", description=about)
    routes = [
        {
            "route": one.route,
            "done": f"{one.measured.done} of {one.measured.documents}",
            "cost": money(one.measured.cost_usd),
            "p50": milliseconds(one.measured.latency_p50),
            "p90": milliseconds(one.measured.latency_p90),
            "all documents": money(one.projected.cost_usd),
            "in": duration(one.projected.seconds),
        }
        for one in comparison.routes
    ]
    if routes:
        create_table_artifact(routes, key="docmill-compare-routes", description=about)


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


def _tried(show: Callable[[], T], trouble: str | None = None) -> T | None:
    """Return the result of `show`, or None if it fails, with a warning if `trouble` is given, else a debug message."""
    try:
        return show()
    except Exception as error:  # noqa: BLE001 - the job has come to its end: its tables are what counts
        level = logging.WARNING if trouble else logging.DEBUG
        words = trouble or "an artifact could not be shown"
        get_run_logger().log(level, "%s: %s: %s", words, type(error).__name__, error)
        return None
