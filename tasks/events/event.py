"""What happens in a job, for whoever watches it; unless somebody does, nothing is done with it.

No event holds a word of a prompt or an answer, a key, or an error's message, which may
quote one of them: an error goes by its kind, and its words stand in `failures`.
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
    "call paid": "warning",  # in vain: its answer is of no use
    "call given up": "warning",
    "answer set aside": "warning",
    "route down": "warning",
    "events dropped": "warning",
    "route lost": "error",
}


class Event(NamedTuple):
    """Something that happened at a time, in seconds since 1970; fields that are None say nothing."""

    at: float
    name: Name
    fields: dict[str, Any]


class MetricReading(NamedTuple):
    """A gauge as it stands, and of what."""

    gauge: Literal["in_flight", "limit_used"]
    value: float
    fields: Mapping[str, Any]


Read = Callable[[], Iterable[MetricReading]]


class Observer(Protocol):
    """What is told of events; from any thread, and it costs next to nothing."""

    def note(self, name: Name, /, **fields: Any) -> None:
        """Tell what happened."""
        ...

    def bound(self, **fields: Any) -> "Observer":
        """Return one whose events have these fields besides."""
        ...

    def gauges(self, read: Read) -> None:
        """Tell how to read the gauges; from any thread, while the job is open."""
        ...


class Silent:
    """Nobody watches."""

    def note(self, name: Name, /, **fields: Any) -> None:
        """Do nothing."""

    def bound(self, **_: Any) -> Observer:
        """Nor does this one."""
        return self

    def gauges(self, read: Read) -> None:
        """Read nothing."""


SILENT: Final[Observer] = Silent()
