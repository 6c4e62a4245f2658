"""OpenTelemetry, set up by its own environment variables (OTEL_…): OTLP over HTTP, protobuf.

Only imported where it is wanted: see `observing`. The providers are the job's own, so that
those of a program around it stay as they are.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tasks.events.event import Read
from tasks.events.metrics import Metrics
from tasks.events.spans import Spans
from tasks.events.watcher import Sink, Trouble

NAME = "docmill"
# How long to wait for the collector at the end; the SDK would retry an unreachable one for much longer.
LAST_SECONDS = 4.0
# The queue of spans to be sent, unless the environment sets its size: a fast job ends thousands of spans a second.
MOST_SPANS = 20_000
LOST = "the collector of OTEL_EXPORTER_OTLP_ENDPOINT didn't take all spans and metrics"


@contextlib.contextmanager
def telemetry(job_id: str, readers: Sequence[Read], trouble: Trouble) -> Iterator[list[Sink]]:
    """Yield the sinks that turn events into spans and metrics; flush them at the end, for a few seconds at most."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_heard(trouble))
        sinks: list[Sink] = []
        if os.environ.get("OTEL_TRACES_EXPORTER") != "none":
            sinks.append(stack.enter_context(_tracing(job_id)))
        if os.environ.get("OTEL_METRICS_EXPORTER") != "none":
            sinks.append(stack.enter_context(_measuring(readers)))
        yield sinks


@contextlib.contextmanager
def _tracing(job_id: str) -> Iterator[Spans]:
    """Return spans that are exported in batches."""
    exporter = OTLPSpanExporter()
    most = None if os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE") else MOST_SPANS
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=most))
    spans = Spans(provider.get_tracer(NAME), job_id)
    try:
        yield spans
    finally:
        spans.close()
        with _at_most(exporter.shutdown):
            provider.shutdown()


@contextlib.contextmanager
def _measuring(readers: Sequence[Read]) -> Iterator[Metrics]:
    """Return metrics that are exported now and then, and at the end."""
    exporter = OTLPMetricExporter()
    reader = PeriodicExportingMetricReader(exporter)
    provider = MeterProvider([reader], resource=_resource(), shutdown_on_exit=False)
    try:
        yield Metrics(provider.get_meter(NAME), readers)
    finally:
        with _at_most(exporter.shutdown):
            provider.shutdown()


@contextlib.contextmanager
def _at_most(give_up: Callable[[], None]) -> Iterator[None]:
    """Call `give_up` if the block takes longer than LAST_SECONDS; ignore whatever the SDK raises."""
    timer = threading.Timer(LAST_SECONDS, give_up)
    timer.daemon = True
    timer.start()
    try:
        with contextlib.suppress(Exception):
            yield
    finally:
        timer.cancel()


def _resource() -> Resource:
    """Return the resource that the environment describes, named docmill unless the environment names it."""
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({} if named else {"service.name": NAME})


class _Ear(logging.Handler):
    """A log handler that reports the first problem, and only that one."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(logging.WARNING)
        self._trouble, self._heard = trouble, False

    def emit(self, _: logging.LogRecord) -> None:
        if not self._heard:
            self._heard = True
            self._trouble(LOST)


@contextlib.contextmanager
def _heard(trouble: Trouble) -> Iterator[None]:
    """Replace the SDK's many log lines, which quote the collector, with one line of our own."""
    logger, ear = logging.getLogger("opentelemetry"), _Ear(trouble)
    was = logger.propagate
    logger.addHandler(ear)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(ear)
        logger.propagate = was
