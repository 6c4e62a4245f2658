"""The records of the history: the schema of an event, and the statistics computed from events."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple

import pyarrow as pa

from tasks.results.schemas import INT, REAL, TEXT, TIME

Source = Literal["probe", "call"]
Kind = Literal["chat", "code", "embedding"]
State = Literal["up", "down", "unknown"]

# The prompts' sizes, by their upper bounds in characters (inclusive); the last has none.
BUCKETS = (2_000, 4_000, 8_000, 16_000, 32_000)

_FIELDS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("at", TIME, "when it ended, UTC"),
    ("source", TEXT, "probe (sent to measure) or call (a job's own)"),
    ("provider", TEXT, "provider asked"),
    ("model", TEXT, "model asked; null where a provider's list alone was read"),
    ("kind", TEXT, "chat, code or embedding"),
    ("prompt_characters", INT, "characters of the prompt; null where nothing was sent, or nobody counted"),
    ("prompt_tokens", INT, "as the provider counted; null where it didn't answer"),
    ("completion_tokens", INT, "as the provider counted; null where it didn't answer"),
    ("ok", pa.bool_(), "whether it was answered"),
    ("error_kind", TEXT, "stable word for what went wrong; null where nothing did"),
    ("http_status", INT, "status of the last reply, where there was one that failed"),
    ("first_token_ms", REAL, "from sending the request to the first token; null where the answer didn't stream"),
    ("latency_ms", REAL, "from sending the request to the whole answer; null where only a list was read"),
    ("tokens_per_second", REAL, "completion tokens a second of latency; null for embeddings and failures"),
    ("cost_usd", REAL, "what it cost in USD; null where the price isn't known"),
    ("price_in", REAL, "USD a million prompt tokens then; null where it isn't known"),
    ("price_out", REAL, "USD a million completion tokens then; null where it isn't known"),
    ("context", INT, "the route's window in tokens; null where it isn't known"),
    ("job_id", TEXT, "job of the call; null for a probe"),
    ("call_id", TEXT, "call of that job; null for a probe"),
)
HISTORY = pa.schema([pa.field(name, kind, metadata={"description": words}) for name, kind, words in _FIELDS])


class HealthEvent(NamedTuple):
    """One row of the history, in the order of its columns."""

    at: datetime
    source: Source
    provider: str
    model: str | None
    kind: Kind
    prompt_characters: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    ok: bool
    error_kind: str | None
    http_status: int | None
    first_token_ms: float | None
    latency_ms: float | None
    tokens_per_second: float | None
    cost_usd: float | None
    price_in: float | None
    price_out: float | None
    context: int | None
    job_id: str | None = None
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Uptime:
    """The share of events that were answered, from 0 to 1; None where there were none."""

    hour: float | None
    day: float | None
    week: float | None


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds to the whole answer, by the prompt's size."""

    most_characters: int | None  # the bucket's upper bound, inclusive; None: larger than all bounds, or unknown
    count: int
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """How often one kind of error came, and when last."""

    kind: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class PriceStep:
    """A price in USD a million tokens, and since when; None: not known."""

    since: datetime
    price_in: float | None
    price_out: float | None


@dataclass(frozen=True, slots=True)
class Strip:
    """A piece of an uptime strip: an hour or a day that begins at `start` (UTC)."""

    start: datetime
    count: int
    ok: int


@dataclass(frozen=True, slots=True)
class DayLatency:
    """Milliseconds to the whole answer, of one day (UTC), all prompt sizes together."""

    day: date
    count: int
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class RouteHealth:
    """The statistics of one route; no series has more than one row per hour or day."""

    provider: str
    model: str | None
    kind: Kind
    state: State  # as of the latest event; unknown where that is older than a day
    in_use: bool  # a job called it within seven days, or it was named
    last_at: datetime | None
    last_error: str | None  # the kind of the latest event's error
    events: int
    probes: int
    uptime: Uptime
    latencies: tuple[Latency, ...]  # answered events by size, smallest first; empty sizes left out
    latency_p50: float | None
    latency_p90: float | None
    latency_p99: float | None
    first_token_p50: float | None
    tokens_per_second: float | None  # the median
    errors: tuple[ErrorCount, ...]  # most frequent first
    price_in: float | None
    price_out: float | None
    prices: tuple[PriceStep, ...]  # oldest first; one row where it never changed
    context: int | None
    cost_usd: float  # of what has a known price
    hours: tuple[Strip, ...]  # the last 48 hours that have events, oldest first
    days: tuple[Strip, ...]  # the last 366 days that have events, oldest first
    daily: tuple[DayLatency, ...]  # as `days`, where something was answered

    @property
    def label(self) -> str:
        """The route as PROVIDER/MODEL."""
        return f"{self.provider}/{self.model}" if self.model else self.provider


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to change, the numbers behind it, and the flag that changes it."""

    kind: Literal["dearer", "limit", "window", "cut", "retries"]
    title: str
    because: str
    flag: str
    saves_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """A route in use that is down, or whose price rose."""

    event: Literal["docmill.route.down", "docmill.price.rose"]
    provider: str
    model: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A route that wasn't probed, and why."""

    provider: str
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Health:
    """The statistics of the history at one moment."""

    at: datetime
    routes: tuple[RouteHealth, ...]
    alarms: tuple[Alarm, ...] = ()
    advice: tuple[Advice, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    probes: int = 0  # sent in this run
    spent_usd: float = 0.0  # for probes in this run
    events: int = 0  # rows of the history
