"""The observers of a job: its log, and OpenTelemetry where the environment asks for it."""

import contextlib
import importlib.util
import os
from collections.abc import Iterator, Mapping

from tasks.events.event import SILENT, Observer, Read
from tasks.events.log import log_file
from tasks.events.watcher import Sink, Trouble, Watcher

VARIABLE = "DOCMILL_LOG"
ENDPOINTS = tuple(f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT" for signal in ("", "TRACES_", "METRICS_"))
PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


@contextlib.contextmanager
def observing(job_id: str, log: str | None, trouble: Trouble) -> Iterator[Observer]:
    """Observe a job while the block runs: in a log, if one is named, and by OpenTelemetry, if it is configured.

    `trouble` is called with a message when events can't be written. Raises UserMistake if the log can't be opened.
    """
    with contextlib.ExitStack() as stack:
        sinks: list[Sink] = []
        readers: list[Read] = []
        if log:
            sinks.append(stack.enter_context(log_file(log, job_id)))
        if wants_telemetry(os.environ):
            from tasks.events.telemetry import telemetry  # noqa: PLC0415 - half a second, and an extra

            sinks += stack.enter_context(telemetry(job_id, readers, trouble))
        if not sinks:
            yield SILENT
            return
        watcher = Watcher(sinks, trouble, readers)
        stack.callback(watcher.close)
        yield watcher


def wants_telemetry(environment: Mapping[str, str]) -> bool:
    """Whether the environment names a collector, and the packages are there."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    return any(environment.get(name) for name in ENDPOINTS) and all(map(_is_installed, PACKAGES))


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # its parent package isn't installed either
        return False
