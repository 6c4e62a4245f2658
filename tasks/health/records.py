"""What is kept of every look at a route, and what the statistics over it come to.

A route is a model at a provider (`apipie@bedrock` behind an aggregator). The history is a
row an observation: a probe, a look into a provider's list, or a real call of a job.
Times are in UTC, latencies in ms, prices in USD per million tokens, shares from 0 to 1;
what isn't known is None, never 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import pyarrow as pa

Kind = Literal["chat", "code", "embedding"]
Source = Literal["probe", "list", "call"]
State = Literal["up", "down", "unknown"]
AdviceKind = Literal["dearer_route", "limit_unused", "small_window", "answer_cut", "retries_wasted"]
AlarmKind = Literal["route_down", "price_rose"]
# Characters of a prompt up to which each group of sizes goes; the last takes what is longer, too.
SIZES = (2_000, 4_000, 8_000, 16_000, 32_000)

_FIELDS: Sequence[tuple[str, pa.DataType, str]] = (
    ("at", pa.timestamp("us", tz="UTC"), "when it was answered or given up, UTC"),
    ("source", pa.string(), "probe (asked by the monitor), list (the provider's list of models) or call (of a job)"),
    ("provider", pa.string(), "provider asked; PROVIDER@UPSTREAM behind an aggregator"),
    ("model", pa.string(), "model asked"),
    ("kind", pa.string(), "chat, code or embedding"),
    ("prompt_characters", pa.int64(), "characters of the prompt; of a job's call by its tokens; null of a list"),
    ("prompt_tokens", pa.int64(), "as the provider counted, else by the model's tokenizer"),
    ("completion_tokens", pa.int64(), "as the provider counted, else by the model's tokenizer"),
    ("ok", pa.bool_(), "whether it was answered; of a list, whether the model is served"),
    ("error_kind", pa.string(), "stable word for what went wrong; null where nothing did"),
    ("http_status", pa.int64(), "status of a reply that was a refusal, where there was one"),
    ("first_token_ms", pa.float64(), "from sending the request to the first text of the answer; null where not told"),
    ("latency_ms", pa.float64(), "from sending the request to the whole answer; null where there was none"),
    ("tokens_per_second", pa.float64(), "tokens of the answer a second, after the first where its time is known"),
    ("cost_usd", pa.float64(), "what it cost in USD; null where the price isn't known"),
    ("price_in", pa.float64(), "USD per million tokens of the prompt; null where not known, and of calls"),
    ("price_out", pa.float64(), "USD per million tokens of the answer; null where not known, and of calls"),
    ("context", pa.int64(), "the route's window in tokens; null where not known, and of calls"),
    ("job_id", pa.string(), "job that made the call; null of probes and lists"),
    ("call_id", pa.string(), "the call's id in the job's tables; null of probes and lists"),
)  # fmt: skip
HISTORY = pa.schema([pa.field(name, kind, metadata={"description": words}) for name, kind, words in _FIELDS])


@dataclass(frozen=True, slots=True)
class Observation:
    """A row of the history."""

    at: datetime
    source: Source
    provider: str
    model: str
    kind: Kind
    ok: bool
    prompt_characters: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error_kind: str | None = None
    http_status: int | None = None
    first_token_ms: float | None = None
    latency_ms: float | None = None
    tokens_per_second: float | None = None
    cost_usd: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    context: int | None = None
    job_id: str | None = None
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Uptime:
    """The share of looks that were answered, of so many; prompts refused for their own sake don't count."""

    share: float | None = None
    looks: int = 0


@dataclass(frozen=True, slots=True)
class Latency:
    """Exact quantiles over answered probes and calls, of one group of sizes or of all.

    `size`: the prompts' most characters (SIZES), None for all sizes together.
    """

    size: int | None
    count: int
    p50: float
    p90: float
    p99: float
    first_token_p50: float | None = None
    tokens_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """How often something went wrong, and when last."""

    kind: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class PriceStep:
    """A price from `at` on, until the next step."""

    at: datetime
    price_in: float
    price_out: float


@dataclass(frozen=True, slots=True)
class UptimeSlot:
    """An hour or day of a strip, from `at` on; hours and days without any look have no slot."""

    at: datetime
    share: float
    looks: int


@dataclass(frozen=True, slots=True)
class LatencyDay:
    """A day's latencies, over all sizes."""

    at: datetime
    count: int
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class RouteHealth:
    """One route, as it stands and as it was.

    `uptimes` are over the last hour, day and week; `latency`, `sizes`, and `errors` over the
    last week; `hours` are the last 48, `days` and `latencies` all days of the last year; `prices`
    are all steps, oldest first, the last one is the price now. `note` says why it is only listed.
    """

    provider: str
    model: str
    kind: Kind
    state: State
    checked_at: datetime
    in_use: bool
    hour: Uptime
    day: Uptime
    week: Uptime
    latency: Latency | None = None
    sizes: Sequence[Latency] = ()
    errors: Sequence[ErrorCount] = ()
    last_error: str | None = None
    price: PriceStep | None = None
    prices: Sequence[PriceStep] = ()
    context: int | None = None
    probes: int = 0
    calls: int = 0
    cost_usd: float | None = None
    hours: Sequence[UptimeSlot] = ()
    days: Sequence[UptimeSlot] = ()
    latencies: Sequence[LatencyDay] = ()
    note: str | None = None

    @property
    def label(self) -> str:
        """How the route is called: PROVIDER/MODEL."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is to be known now of a route in use, in words."""

    kind: AlarmKind
    route: str
    words: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What would be better next time: in words, with the numbers behind it and the flag to change."""

    kind: AdviceKind
    about: str
    words: str
    flag: str
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """All routes at one time, those in use first; `since` is the first observation that there is."""

    at: datetime
    since: datetime | None
    observations: int
    routes: Sequence[RouteHealth]
    alarms: Sequence[Alarm] = ()
    advice: Sequence[Advice] = ()
