"""Events as metrics: what was asked, refused, paid; how long it took; what is in flight and how full the limits are."""

from collections.abc import Callable, Iterable, Sequence

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from tasks.events.event import Event, Read
from tasks.events.naming import attributes, of_route

OUTCOMES = {"call answered": "answered", "call reused": "reused", "call given up": "given_up"}
SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576)


class Metrics:
    """The instruments of one job; the gauges are read when they are exported."""

    def __init__(self, meter: Meter, readers: Sequence[Read]) -> None:
        count, spread = meter.create_counter, meter.create_histogram
        self._calls = count("docmill.calls", "{call}", "calls that were answered, reused or given up")
        self._retries = count("docmill.retries", "{call}", "attempts after the first")
        self._tokens = count("docmill.tokens", "{token}", "tokens that were paid for")
        self._cost = count("docmill.cost", "USD", "what the answers cost, where that is known")
        self._failures = count("docmill.failures", "{failure}", "calls given up and answers set aside, by kind")
        self._documents = count("docmill.documents", "{document}", "documents by their status")
        self._latency = spread(
            "gen_ai.client.operation.duration",
            "s",
            "from sent to answered",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._usage = spread(
            "gen_ai.client.token.usage", "{token}", "tokens a call", explicit_bucket_boundaries_advisory=TOKENS
        )
        self._wait = spread(
            "docmill.wait", "s", "how long a call was held up by limits", explicit_bucket_boundaries_advisory=SECONDS
        )
        for gauge, unit in (("in_flight", "{call}"), ("limit_used", "1")):
            callback = _observed(gauge, readers)
            meter.create_observable_gauge(f"docmill.{gauge}", [callback], unit)

    def take(self, events: Sequence[Event]) -> None:
        """Count events."""
        for event in events:
            self._count(event)

    def _count(self, event: Event) -> None:
        name, fields = event.name, event.fields
        if name == "document ended":
            kept = {one: fields.get(one) for one in ("status", "error_kind")}
            self._documents.add(1, attributes(kept))
            return
        route = of_route(fields)
        if name in OUTCOMES:
            self._calls.add(1, {**route, "docmill.outcome": OUTCOMES[name]})
        if name in ("call given up", "answer set aside"):
            self._failures.add(1, {**route, "error.type": fields["error_kind"]})
        elif name in ("call answered", "call paid"):
            self._pay(event, route)
        elif name == "call retried":
            self._retries.add(1, {**route, "error.type": fields["error_kind"]})
        elif name == "call sent":
            self._wait.record(fields["wait_seconds"], route)

    def _pay(self, event: Event, route: dict[str, str]) -> None:
        fields = event.fields
        self._latency.record(fields["latency_ms"] / 1000, route)
        self._cost.add(fields["cost_usd"] or 0.0, route)
        for kind, name in (("input", "prompt_tokens"), ("output", "completion_tokens")):
            told = {**route, "gen_ai.token.type": kind}
            self._tokens.add(fields[name], told)
            self._usage.record(fields[name], told)


def _observed(gauge: str, readers: Sequence[Read]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_: CallbackOptions) -> Iterable[Observation]:
        readings = [one for read in readers for one in read() if one.gauge == gauge]
        return [Observation(one.value, attributes(one.fields)) for one in readings]

    return observe
