"""Open everything a job needs, and close it in the end: lock, ledger, and all that asks."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from tasks.base.errors import JobPaused
from tasks.calls.progress import Meter
from tasks.dispatch.budget import Spending
from tasks.jobs.job import Job
from tasks.planning.job_register import register
from tasks.planning.prepared import Prepared
from tasks.planning.saved_routes import remember
from tasks.planning.state_location import holding
from tasks.results.conform import conform
from tasks.results.footers import Footers, is_sound
from tasks.results.job_file import write_job_file
from tasks.results.parts import create_tables, held_documents
from tasks.running.garbage import calm_collector
from tasks.running.runtime import RuntimeResources, opened_runtime
from tasks.running.shared_limits import sharing
from tasks.running.watching import begin


@contextlib.contextmanager
def open_job(prepared: Prepared, meter: Meter | None = None) -> Iterator[Job]:
    """Open everything a job needs, and close it all in the end, whatever happens.

    If the calls are left to workers, this process sends none. Raises UserMistake or StorageRefused
    if the output can't be written, or another run holds it.
    """
    options = prepared.options
    output = options.folder
    create_tables(output, prepared.schemas)
    state = prepared.state
    opened: list[Job] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(holding(options, state, lambda error: _stop_all(opened, error)))
        found = conform(output, prepared.schemas)
        stack.enter_context(calm_collector())
        ledger = state.open(fresh=options.fresh)
        stack.callback(ledger.close)
        meter = meter or Meter()
        if ledger.notice:
            meter.trouble("ledger", ledger.notice)
        if ledger.is_new:
            ledger.adopt(held_documents(output))
        ledger.begin(prepared.identity, prepared.flow)
        asks = options.runner == "threads"
        share = stack.enter_context(sharing(options.share_limits, prepared.settings)) if asks else None
        limited = options.budget is not None
        spending = Spending(options.budget, ledger.spent(), ledger.lost()[1]) if limited else Spending(None)
        job = stack.enter_context(
            opened_runtime(prepared, ledger, state, meter, RuntimeResources(spending, share, asks))
        )
        opened.append(job)
        remember(prepared.job_routes, options, state)
        _reopen_lost_parts(job, found)
        write_job_file(output, job.record("running"))
        register(output, prepared.settings)
        stack.enter_context(_begun(job))
        yield job


@contextlib.contextmanager
def _begun(job: Job[Any]) -> Iterator[None]:
    """Record the event that the job begins; if it ends with an unexpected error, record that in job.json."""
    begin(job)
    try:
        yield
    except Exception as error:
        job.broke(error)
        raise


def _stop_all(jobs: Sequence[Job[Any]], reason: JobPaused) -> None:
    for job in jobs:
        job.stop(reason)


def _reopen_lost_parts(job: Job[Any], found: Footers) -> None:
    """Have the documents of parts that somebody removed or damaged answered again, from the ledger."""
    lost = [part for part, *counts in job.ledger.parts() if not is_sound(found, part, *counts)]
    for part in lost:
        job.meter.trouble(f"part {part:06d}", "its files were missing or damaged: written again from what was paid")
    job.ledger.reopen(lost)
