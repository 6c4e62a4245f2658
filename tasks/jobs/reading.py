"""Read documents in small batches, off the event loop: their text, and its cut for the first route."""

import contextlib
from collections.abc import Sequence
from hashlib import sha256

from tasks.base.errors import DocumentFailed
from tasks.calls.rows import DocumentReading
from tasks.documents.document import Document
from tasks.documents.extract import extract
from tasks.jobs.job_context import JobContext, Settled
from tasks.ledger.records import DocumentState

# A hop to a thread and back for each document would cost as much as reading it.
DOCUMENTS_AT_ONCE, BYTES_AT_ONCE = 16, 1_000_000
Read = tuple[Document, DocumentReading | DocumentFailed | Settled]


def read_all(job: JobContext, documents: Sequence[Document]) -> list[Read]:
    """Read and cut documents; those that need nothing are only named. Not on the event loop.

    Raises JobPaused once the job is stopped: a reader that takes long is cut off then.
    """
    seen = job.ledger.seen([document.document_id for document in documents])
    return [(document, _read(job, document, seen.get(document.document_id))) for document in documents]


def _read(
    job: JobContext, document: Document, seen: DocumentState | None
) -> DocumentReading | DocumentFailed | Settled:
    job.check()
    try:
        content = extract(document, lambda: job.stopped() is not None)
    except DocumentFailed as error:
        job.check()
        return error
    digest = sha256(content.text.encode("utf-8")).hexdigest()
    settled = job.settled(document, digest, seen)
    if settled is not None:
        return settled
    reading = DocumentReading(content, digest, job.prepared.carried.fields(document))
    with contextlib.suppress(DocumentFailed):  # raised again, and caught, when it is answered
        answerer = job.answerers[0].about(reading.fields)
        reading.cuts[answerer.cutter.route] = answerer.cut(content)
    return reading
