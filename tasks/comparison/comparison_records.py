"""The results of a comparison: measures of each route, the answers side by side, and a recommendation."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

Status = Literal["running", "done", "paused"]
# What limits the speed of the whole job: calls in flight at their measured latency, or requests or tokens a minute.
Bound = Literal["latency", "requests", "tokens"]


@dataclass(frozen=True, slots=True)
class Terms:
    """A route's prices, in USD per million tokens (None: not known), and its limits."""

    route: str
    provider: str
    model: str
    window: int
    price_in: float | None = None
    price_out: float | None = None
    concurrency: int = 1
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a route made of the sample, from its result set; None where nothing tells.

    `documents` is the size of the sample: done + partial + failed, and those not reached.
    Latencies are of a call, in milliseconds; `tokens_per_second` are those of an answer,
    while it was waited for. `failures` are counts by error kind. `cut` answers end unfinished, `empty` ones
    hold no word. `valid` and `repaired` are counted with a schema: documents whose answer fits it,
    and calls that asked for a better one. `agreement` is the mean cosine with the other routes'
    answers, `rouge_l` the mean F-measure against the reference. `stopped` says why the route wasn't asked to the end.
    """

    documents: int
    done: int = 0
    partial: int = 0
    failed: int = 0
    calls: int = 0
    attempts: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = 0.0
    latency_mean: float | None = None
    latency_p50: float | None = None
    latency_p90: float | None = None
    tokens_per_second: float | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    answer_characters: float | None = None
    cut: int = 0
    empty: int = 0
    valid: int | None = None
    repaired: int | None = None
    agreement: float | None = None
    rouge_l: float | None = None
    stopped: str | None = None

    @property
    def done_share(self) -> float:
        """The share of the sample that was answered whole."""
        return self.done / self.documents if self.documents else 0.0


@dataclass(frozen=True, slots=True)
class Projected:
    """What all documents would come to at a route, from the plan and the measured figures; None where not known."""

    documents: int
    calls: int
    cost_usd: float | None
    seconds: float | None
    bound_by: Bound | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """A route with what was measured there, and what all documents would come to."""

    terms: Terms
    measured: Measured
    projected: Projected
    on_front: bool = False

    @property
    def route(self) -> str:
        """How the route is called."""
        return self.terms.route


@dataclass(frozen=True, slots=True)
class ComparedAnswer:
    """What a route answered over one document; `output` is None where it failed. Times in milliseconds."""

    document_id: str
    route: str
    provider: str
    model: str
    status: str
    output: str | None
    characters: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    latency_ms: int | None
    is_cut: bool
    agreement: float | None
    rouge_l: float | None
    error_kind: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike the answers of two routes are: the mean cosine over the documents that both answered."""

    one: str
    other: str
    documents: int
    cosine: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Labels of routes (None: there is none to be named), and the sentences that say so with the numbers behind each.

    `front` are the routes that no other beats in price and time at once, the cheapest first.
    """

    cheapest: str | None
    fastest: str | None
    best: str | None
    front: tuple[str, ...]
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A whole comparison: comparison.json without the answers, which lie in a table of their own.

    `documents` are those of the whole source, `sample` the identifiers of those that were asked.
    `cost_usd` is what was paid for it in all its runs; `notes` say what wasn't measured, and why.
    """

    comparison_id: str
    flow: str
    version: str
    spec: Mapping[str, Any]
    status: Status
    reason: str | None
    started_at: datetime
    finished_at: datetime | None
    documents: int
    sample: tuple[str, ...]
    cost_usd: float | None
    routes: tuple[Compared, ...]
    agreements: tuple[Agreement, ...]
    recommendation: Recommendation
    notes: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values, with times in ISO 8601."""
        finished = self.finished_at.isoformat() if self.finished_at else None
        return asdict(self) | {"started_at": self.started_at.isoformat(), "finished_at": finished}
