"""The rows of a job's page, as the queries give them."""

from typing import NamedTuple


class RouteRow(NamedTuple):
    """One model at one provider: what was asked of it in this result set."""

    provider: str
    model: str
    calls: int
    failures: int
    retries: int
    cut: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    p50: float | None
    p90: float | None
    p99: float | None
    tokens_per_second: float | None


class LoadRow(NamedTuple):
    """The most that was asked of a provider: in any minute, and at once."""

    provider: str
    requests: int
    tokens: int
    at_once: int


class TimeRow(NamedTuple):
    """What happened in a step of time, which begins at `at` (ms since 1970)."""

    at: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float


class DoneRow(NamedTuple):
    """Documents that came to an end in a step of time."""

    at: int
    status: str
    documents: int


class SizeRow(NamedTuple):
    """Latency in ms of the calls up to `most` prompt tokens (None: larger than all)."""

    most: int | None
    calls: int
    p50: float
    p90: float
    p99: float


class FailureKind(NamedTuple):
    """Failures of one kind, with one of their messages."""

    kind: str
    failures: int
    documents: int
    status: int | None
    example: str | None


class DocumentRow(NamedTuple):
    """A document, with what it took."""

    document_id: str
    status: str
    chunks: int | None
    characters: int | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost_usd: float | None
    error_kind: str | None
    error: str | None


class JobTotals(NamedTuple):
    """Of the whole result set: documents by status, and what was asked and paid for."""

    documents: int
    done: int
    partial: int
    failed: int
    jobs: int
    calls: int
    reused: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    unpriced: int
    failures: int
