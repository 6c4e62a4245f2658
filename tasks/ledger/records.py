"""What the ledger keeps, as its callers see it."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from tasks.providers.protocol import Reply

# The status of a document whose part is known and whose rows may not be there yet.
ASSIGNED = "assigned"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer that was paid before, raw, and which document of which job paid it."""

    job_id: str
    document_id: str
    reply: Reply
    attempts: int
    latency_ms: int
    created_at: datetime


class PaidBeside(NamedTuple):
    """An exchange that was or may have been paid besides the stored answer to its call, and why it isn't usable.

    `tokens` are those read and written; None if the answer was lost, which then cost `worst` (USD) at most.
    """

    call_id: str
    document_id: str
    reason: str
    tokens: tuple[int, int] | None
    cost: float | None
    worst: float
    attempts: int
    latency_ms: int
    served_by: str | None
    created_at: datetime


class DocumentState(NamedTuple):
    """A document as the ledger knows it."""

    job_id: str
    fingerprint: str
    content_sha256: str | None
    status: str
    part: int


class Owned(NamedTuple):
    """A text to embed: its document, its call, and the row of its vector in the answer to that call.

    There may be no such answer yet.
    """

    job_id: str
    document_id: str
    call_id: str | None
    row: int | None


class Finished(NamedTuple):
    """A document's outcome, as the totals need it. Tokens and cost are what this job paid.

    `fingerprint` is its own, where that isn't the job's.
    """

    document_id: str
    content_sha256: str | None
    status: str
    calls: int
    reused_calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class StatusTotals:
    """The sums over one job's documents of a status."""

    documents: int = 0
    calls: int = 0
    reused_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = 0.0
