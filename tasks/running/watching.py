"""Observe a job: its observer, and the events at its beginning."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from tasks.calls.progress import Meter
from tasks.events.event import MetricReading, Observer
from tasks.events.observing import VARIABLE, observing
from tasks.jobs.job import Job
from tasks.planning.job_routes import JobRoute
from tasks.planning.prepared import Prepared, docmill_version
from tasks.running.work import work_of


def observed(prepared: Prepared, job_id: str, meter: Meter) -> contextlib.AbstractContextManager[Observer]:
    """Watch a job as its options or the environment say. Raises UserMistake where its log can't be written."""
    log = prepared.options.log or prepared.settings.get(VARIABLE)
    return observing(job_id, log, lambda words: meter.trouble("log and telemetry", words))


def watching(job: Job[Any], job_route: JobRoute) -> Observer:
    """Return the observer of the events of one route."""
    route = job_route.route
    operation = work_of(job.prepared.options).operation(route)
    return job.observer.bound(provider=route.provider, model=route.model, operation=operation)


def begin(job: Job[Any]) -> None:
    """Tell that a job begins, at which routes, and how its gauges are read."""
    job.observer.note("job began", flow=job.prepared.flow, version=docmill_version())
    for position, job_route in enumerate(job.prepared.job_routes, 1):
        watching(job, job_route).note("route settled", position=position, context=job_route.route.window.context)
    gauge(job)


def gauge(job: Job[Any]) -> None:
    """Tell how the gauges of a job are read in this process."""
    job.observer.gauges(lambda: _readings(job))


def _readings(job: Job[Any]) -> Iterator[MetricReading]:
    for client in job.clients:
        route, dispatcher = client.route, client.dispatcher
        fields = {"provider": route.provider, "model": route.model}
        yield MetricReading("in_flight", dispatcher.exchanger.in_flight, fields)
        for unit, period, share in dispatcher.limits.used(time.monotonic()):
            yield MetricReading("limit_used", share, {**fields, "unit": unit, "period_seconds": period})
