"""Queries of a ledger that another run may hold: they change nothing, and find nothing where there is no ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from tasks.ledger.query import Query, query
from tasks.ledger.records import ASSIGNED
from tasks.ledger.state import State

DONE = query("SELECT document_id, content_sha256, work FROM documents WHERE {document_among} AND status = 'done'")
# A document's own work begins with its job's.
WAITING = query(
    "SELECT count(*) FROM answers WHERE job_id IN "
    "(SELECT job_id FROM jobs WHERE work = {value} AND status != 'done') "
    "AND NOT EXISTS (SELECT 1 FROM documents WHERE documents.document_id = answers.document_id "
    "AND substr(documents.work, 1, 64) = {value} AND documents.status = 'done')"
)
STATUS = "SELECT status FROM jobs ORDER BY rowid DESC LIMIT 1"
ASKED = query("SELECT document_id FROM documents WHERE substr(work, 1, 64) = {value} AND status != {value}")
_PAID = (
    "SELECT sum(usd) FROM ("
    "SELECT job_id, coalesce(cost_usd, worst_usd) AS usd FROM answers WHERE created_at >= {value} "
    "UNION ALL SELECT job_id, coalesce(cost_usd, worst_usd) FROM exchanges WHERE created_at >= {value}) AS paid"
)
PAID_SINCE = query(_PAID)
PAID_BY_ENDED = query(f"{_PAID} WHERE job_id IN (SELECT job_id FROM jobs WHERE status = 'done')")  # noqa: S608
ENDED = query("SELECT count(*) FROM jobs WHERE status = 'done' AND started_at >= {value}")
UNPRICED = query("SELECT count(*) FROM answers WHERE created_at >= {value} AND cost_usd IS NULL")


class DoneDocument(NamedTuple):
    """The SHA-256 of a text that is done, and the fingerprint of what decided about its answer."""

    sha256: str
    fingerprint: str


def done_documents(state: State, document_ids: Sequence[str]) -> dict[str, DoneDocument]:
    """Return those of some documents that are done, by their ids."""
    rows = state.peek(DONE, (list(document_ids),))
    return {str(name): DoneDocument(str(digest), str(fingerprint)) for name, digest, fingerprint in rows}


def waiting_answers(state: State, identity: str, fingerprint: str) -> int:
    """Count the answers of an unfinished job whose documents aren't done."""
    return int(_one(state, WAITING, identity, fingerprint))


def last_status(state: State) -> str | None:
    """Return the status of the last job; None where there was none.

    It is known wherever the job was begun: job.json may be another machine's.
    """
    rows = state.peek(STATUS, ())
    return str(rows[0][0]) if rows else None


def asked_documents(state: State, fingerprint: str) -> set[str]:
    """Return the documents that were finished with this fingerprint."""
    return {str(name) for (name,) in state.peek(ASKED, (fingerprint, ASSIGNED))}


def paid_since(state: State, began: datetime, *, ended: bool = False) -> float:
    """Return the USD paid since a moment, with `ended` only by jobs that are done; unknown costs at their worst."""
    moment = began.timestamp()
    return _one(state, PAID_BY_ENDED if ended else PAID_SINCE, moment, moment)


def has_ended_since(state: State, began: datetime) -> bool:
    """Whether a job that began since a moment is done."""
    return _one(state, ENDED, began.isoformat()) > 0


def has_unpriced_since(state: State, began: datetime) -> bool:
    """Whether the price of an answer since a moment isn't known."""
    return _one(state, UNPRICED, began.timestamp()) > 0


def _one(state: State, question: Query, *values: str | float) -> float:
    rows = state.peek(question, values)
    return float(rows[0][0] or 0.0) if rows else 0.0
