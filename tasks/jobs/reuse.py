"""What of a job is paid for already: documents that are done, and answers of those that aren't."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from tasks.jobs.places import state_of
from tasks.jobs.prepare import Prepared

# A document's own work begins with its job's.
DONE = "SELECT document_id, content_sha256, work FROM documents WHERE substr(work, 1, 64) = ? AND status = 'done'"
ANSWERS = (
    "SELECT count(*) FROM answers WHERE job_id IN (SELECT job_id FROM jobs WHERE work = ? AND status != 'done') "
    "AND NOT EXISTS (SELECT 1 FROM documents WHERE documents.document_id = answers.document_id "
    "AND substr(documents.work, 1, 64) = ? AND documents.status = 'done')"
)


@dataclass(frozen=True, slots=True)
class Kept:
    """The texts of done documents, by their SHA-256, with their work, and how many answers wait for their documents."""

    done: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    answers: int = 0

    def is_done(self, document_id: str, text: str, work: str) -> bool:
        """Whether a document is done, and has the same text and work still."""
        known = self.done.get(document_id)
        return known is not None and known == (sha256(text.encode("utf-8")).hexdigest(), work)


def kept(prepared: Prepared) -> Kept:
    """Return what the ledger of the result set knows, read without touching it; nothing where there is none."""
    if prepared.options.fresh:
        return Kept()
    state = state_of(prepared.options)
    done = {str(name): (str(digest), str(work)) for name, digest, work in state.peek(DONE, (prepared.work,))}
    answers = state.peek(ANSWERS, (prepared.identity, prepared.work))
    return Kept(done, int(answers[0][0] or 0) if answers else 0)
