"""OpenTelemetry, set up by its own environment variables (OTEL_…): OTLP over HTTP, protobuf.

Only imported where it is wanted: see `observing`. The providers are the job's own, so that
those of a program around it stay as they are.
"""

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tasks.events.event import Read
from tasks.events.metrics import Metrics
from tasks.events.spans import Spans
from tasks.events.watcher import Sink, Trouble

NAME = "docmill"
FLUSH_MILLISECONDS = 5_000
LOST = "the collector of OTEL_EXPORTER_OTLP_ENDPOINT didn't take all spans and metrics"


@contextlib.contextmanager
def telemetry(job_id: str, readers: Sequence[Read], trouble: Trouble) -> Iterator[list[Sink]]:
    """Return where events become spans and metrics; what is left is sent at the end, for some seconds."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_heard(trouble))
        sinks: list[Sink] = []
        if os.environ.get("OTEL_TRACES_EXPORTER") != "none":
            sinks.append(stack.enter_context(tracing(BatchSpanProcessor(OTLPSpanExporter()), job_id)))
        if os.environ.get("OTEL_METRICS_EXPORTER") != "none":
            sinks.append(stack.enter_context(measuring(PeriodicExportingMetricReader(OTLPMetricExporter()), readers)))
        yield sinks


@contextlib.contextmanager
def tracing(processor: SpanProcessor, job_id: str) -> Iterator[Spans]:
    """Return spans that go to a processor."""
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    spans = Spans(provider.get_tracer(NAME), job_id)
    try:
        yield spans
    finally:
        spans.close()
        provider.force_flush(FLUSH_MILLISECONDS)
        provider.shutdown()


@contextlib.contextmanager
def measuring(reader: MetricReader, readers: Sequence[Read]) -> Iterator[Metrics]:
    """Return metrics that a reader collects."""
    provider = MeterProvider([reader], resource=_resource(), shutdown_on_exit=False)
    try:
        yield Metrics(provider.get_meter(NAME), readers)
    finally:
        provider.shutdown(FLUSH_MILLISECONDS)


def _resource() -> Resource:
    """What the environment says of this service, which is called docmill unless that names it."""
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return Resource.create({} if named else {"service.name": NAME})


class _Ear(logging.Handler):
    """Hears what goes wrong, once."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(logging.WARNING)
        self._trouble, self._heard = trouble, False

    def emit(self, _: logging.LogRecord) -> None:
        if not self._heard:
            self._heard = True
            self._trouble(LOST)


@contextlib.contextmanager
def _heard(trouble: Trouble) -> Iterator[None]:
    """Say in one line what the SDK would say in many, with the collector's words."""
    logger, ear = logging.getLogger("opentelemetry"), _Ear(trouble)
    was = logger.propagate
    logger.addHandler(ear)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(ear)
        logger.propagate = was
