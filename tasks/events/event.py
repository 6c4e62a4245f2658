"""The events of a job, for its observers; without an observer they are discarded.

No event holds a word of a prompt or an answer, a key, or an error's message, which may
quote one of them: an event names the kind of an error, and the table `failures` holds its message.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple, Protocol

Name = Literal[
    "job began",
    "route settled",
    "shard began",
    "document began",
    "call waited",
    "call sent",
    "call refused",
    "call retried",
    "call answered",
    "call paid",
    "call reused",
    "call given up",
    "call left",
    "answer set aside",
    "limit learned",
    "route down",
    "route up",
    "route lost",
    "document ended",
    "part written",
    "shard ended",
    "job ended",
    "events dropped",
]
Level = Literal["debug", "info", "warning", "error"]
# All others are of level info.
LEVELS: Final[Mapping[Name, Level]] = {
    "document began": "debug",
    "call waited": "debug",
    "call sent": "debug",
    "call left": "debug",
    "call refused": "warning",
    "call paid": "warning",  # for nothing: its answer is unusable
    "call given up": "warning",
    "answer set aside": "warning",
    "route down": "warning",
    "events dropped": "warning",
    "route lost": "error",
}


class Event(NamedTuple):
    """Something that happened, with its time in seconds since 1970; a field that is None counts as missing."""

    at: float
    name: Name
    fields: dict[str, Any]


class MetricReading(NamedTuple):
    """The current value of a gauge, and the fields that identify what it measures."""

    gauge: Literal["in_flight", "limit_used"]
    value: float
    fields: Mapping[str, Any]


Read = Callable[[], Iterable[MetricReading]]


class Observer(Protocol):
    """Receives events, from any thread and at next to no cost."""

    def note(self, name: Name, /, **fields: Any) -> None:
        """Record an event."""
        ...

    def bound(self, **fields: Any) -> "Observer":
        """Return an observer that adds these fields to its events."""
        ...

    def gauges(self, read: Read) -> None:
        """Register a function that reads the gauges; it is called from any thread while the job is open."""
        ...


class Silent:
    """An observer that discards everything."""

    def note(self, name: Name, /, **fields: Any) -> None:
        """Do nothing."""

    def bound(self, **_: Any) -> Observer:
        """Return itself, as it has no use for the fields."""
        return self

    def gauges(self, read: Read) -> None:
        """Ignore the gauges."""


SILENT: Final[Observer] = Silent()
