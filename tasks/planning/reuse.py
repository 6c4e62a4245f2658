"""What of a job is paid for already: documents that are done, and answers of those that aren't."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from tasks.ledger.state import State
from tasks.ledger.store import Asked
from tasks.planning.prepare import Prepared
from tasks.planning.state_location import state_of

DONE = (
    "SELECT document_id, content_sha256, work FROM documents "
    "WHERE document_id IN (SELECT value FROM json_each(?)) AND status = 'done'"
)
# A document's own work begins with its job's.
ANSWERS = (
    "SELECT count(*) FROM answers WHERE job_id IN (SELECT job_id FROM jobs WHERE work = ? AND status != 'done') "
    "AND NOT EXISTS (SELECT 1 FROM documents WHERE documents.document_id = answers.document_id "
    "AND substr(documents.work, 1, 64) = ? AND documents.status = 'done')"
)


class Done(NamedTuple):
    """The SHA-256 of a text that is done, and the identity of the work on it."""

    sha256: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ReusableAnswers:
    """What a ledger tells of documents, if there is one; it counts the answers meanwhile."""

    state: State | None = None
    counted: Future[int] | None = None

    @property
    def answers(self) -> int:
        """How many answers wait for their documents."""
        return self.counted.result() if self.counted else 0

    def done(self, document_ids: Sequence[str]) -> dict[str, Done]:
        """Return the texts and works of those that are done."""
        rows = self.state.peek(DONE, (list(document_ids),)) if self.state else ()
        return {str(name): Done(str(digest), str(fingerprint)) for name, digest, fingerprint in rows}


def kept(prepared: Prepared) -> ReusableAnswers:
    """Return what the ledger of the result set knows, read without touching it; nothing where there is none."""
    if prepared.options.fresh:
        return ReusableAnswers()
    state = state_of(prepared.options)
    counter = ThreadPoolExecutor(1)
    counted = counter.submit(_count, state, (prepared.identity, prepared.fingerprint))
    counter.shutdown(wait=False)
    return ReusableAnswers(state, counted)


def _count(state: State, values: Asked) -> int:
    answers = state.peek(ANSWERS, values)
    return int(answers[0][0] or 0) if answers else 0
