"""Events as spans: job > shard > document > call, with the attempts of a call as events on its span.

A request of `embed` holds texts of many documents and of several shards, so its parent is the
job. Spans still open when the job ends, such as those of calls that were cut off, end with it.
"""

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from tasks.events.event import Event
from tasks.events.naming import attributes

Key = tuple[str, object]
JOB: Key = ("job", "")
# Answers are among them, because the event "call sent" may have been dropped.
BEGINS = frozenset({"call sent", "call answered", "call reused"})
ENDS = frozenset({"call answered", "call given up", "call left", "call reused"})
ATTEMPTS = frozenset({"call sent", "call waited", "call refused", "call retried", "call paid"})


class Spans:
    """The spans of one job that haven't ended yet."""

    def __init__(self, tracer: Tracer, job_id: str) -> None:
        self._tracer, self._job_id = tracer, job_id
        self._open: dict[Key, Span] = {}

    def take(self, events: Sequence[Event]) -> None:
        """Begin and end spans at the times of the events."""
        for event in events:
            thing, _, what = event.name.partition(" ")
            if thing == "call":
                self._call(event)
            elif what == "began":
                self._begin(event, self._key(thing, event), event.at)
            elif what == "ended":
                self._end(event, self._key(thing, event))
            elif (job := self._open.get(JOB)) is not None:
                job.add_event(event.name, attributes(event.fields), _nanoseconds(event.at))

    def close(self) -> None:
        """End what is open, the job last."""
        for key in reversed(list(self._open)):
            self._open.pop(key).end()

    def _call(self, event: Event) -> None:
        key = self._key("call", event)
        if key not in self._open:
            if event.name not in BEGINS:
                return
            took = event.fields.get("wait_seconds", 0.0) + event.fields.get("latency_ms", 0) / 1000
            self._begin(event, key, event.at - took)
        if event.name in ATTEMPTS:
            self._open[key].add_event(event.name, attributes(event.fields), _nanoseconds(event.at))
        elif event.name in ENDS:
            self._end(event, key)

    def _begin(self, event: Event, key: Key, at: float) -> None:
        fields = event.fields
        name = f"{fields['operation']} {fields['model']}" if key[0] == "call" else f"{key[0]} {fields.get('flow', '')}"
        self._open[key] = self._tracer.start_span(
            name.strip(),
            self._above(key, event),
            SpanKind.CLIENT if key[0] == "call" else SpanKind.INTERNAL,
            attributes({"job_id": self._job_id, **fields}),
            start_time=_nanoseconds(at),
        )

    def _end(self, event: Event, key: Key) -> None:
        span = self._open.pop(key, None)
        if span is None:
            return
        span.set_attributes(attributes(event.fields))
        kind = event.fields.get("error_kind")
        if kind is not None and event.name != "call left":
            span.set_status(Status(StatusCode.ERROR, kind))
        if key == JOB:
            self.close()
        span.end(_nanoseconds(event.at))

    def _above(self, key: Key, event: Event) -> Context:
        """Return the context of what a span is part of: the nearest that is open."""
        fields = event.fields
        above: dict[str, tuple[Key, ...]] = {
            "call": (("document", fields.get("document_id")), JOB),
            "document": (("shard", fields.get("part")), JOB),
            "shard": (JOB,),
        }
        found = next((self._open[one] for one in above.get(key[0], ()) if one in self._open), None)
        # An empty context, not the thread's: the job is the root.
        return Context() if found is None else set_span_in_context(found, Context())

    def _key(self, thing: str, event: Event) -> Key:
        fields = event.fields
        ids = {
            "shard": fields.get("part"),
            "document": fields.get("document_id"),
            "call": (fields.get("call_id"), fields.get("document_id")),
        }
        return thing, ids.get(thing, "")


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
