"""The part of a job that is paid for already: documents that are done, and answers of unfinished ones."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from tasks.ledger.questions import DoneDocument, done_documents, waiting_answers
from tasks.ledger.state import State
from tasks.planning.prepared import Prepared


@dataclass(frozen=True, slots=True)
class ReusableAnswers:
    """What a ledger, if there is one, holds for documents; its answers are counted in the background."""

    state: State | None = None
    counted: Future[int] | None = None

    @property
    def answers(self) -> int:
        """How many answers wait for their documents."""
        return self.counted.result() if self.counted else 0

    def done(self, document_ids: Sequence[str]) -> dict[str, DoneDocument]:
        """Return the documents among these that are done."""
        return done_documents(self.state, document_ids) if self.state else {}


def kept(prepared: Prepared) -> ReusableAnswers:
    """Return what the ledger of the result set knows, read without touching it; nothing where there is none."""
    if prepared.options.fresh:
        return ReusableAnswers()
    counter = ThreadPoolExecutor(1)
    counted = counter.submit(waiting_answers, prepared.state, prepared.identity, prepared.fingerprint)
    counter.shutdown(wait=False)
    return ReusableAnswers(prepared.state, counted)
