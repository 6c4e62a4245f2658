"""Have a job watched: by whom, and what is told when it begins."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from tasks.calls.progress import Meter
from tasks.events.event import MetricReading, Observer
from tasks.events.observing import VARIABLE, observing
from tasks.jobs.job import Job
from tasks.planning.job_routes import JobRoute
from tasks.planning.prepare import Prepared, docmill_version
from tasks.providers.account import read_environment


def observed(prepared: Prepared, job_id: str, meter: Meter) -> contextlib.AbstractContextManager[Observer]:
    """Watch a job as its options or the environment say. Raises UserMistake where its log can't be written."""
    log = prepared.options.log or read_environment().get(VARIABLE)
    return observing(job_id, log, lambda words: meter.trouble("log and telemetry", words))


def watching(job: Job[Any], stop: JobRoute) -> Observer:
    """Return the observer of the events of one route."""
    route = stop.route
    operation = "text_completion" if route.is_base_model else "chat"
    if job.prepared.options.embedding:
        operation = "embeddings"
    return job.observer.bound(provider=route.provider, model=route.model, operation=operation)


def begin(job: Job[Any]) -> None:
    """Tell that a job begins, at which routes, and how its gauges are read."""
    job.observer.note("job began", flow=job.prepared.flow, version=docmill_version())
    for place, stop in enumerate(job.prepared.job_routes, 1):
        watching(job, stop).note("route settled", position=place, context=stop.route.window.context)
    gauge(job)


def gauge(job: Job[Any]) -> None:
    """Tell how the gauges of a job are read in this process."""
    job.observer.gauges(lambda: _readings(job))


def _readings(job: Job[Any]) -> Iterator[MetricReading]:
    for strategist in job.strategists:
        route, dispatcher = strategist.route, strategist.dispatcher
        fields = {"provider": route.provider, "model": route.model}
        yield MetricReading("in_flight", dispatcher.in_flight, fields)
        for unit, period, share in dispatcher.limits.used(time.monotonic()):
            yield MetricReading("limit_used", share, {**fields, "unit": unit, "period_seconds": period})
