"""Answer one document, at the first of the job's routes that is available."""

import asyncio
import contextlib
from typing import Any

from tasks.base.errors import DocumentFailed, Overflow, RouteUnavailable
from tasks.calls.call_context import DocumentProgress
from tasks.calls.rows import DocumentReading, Outcome, Result, document_rows
from tasks.calls.token_calibration import TokenMeasure
from tasks.documents.document import Document
from tasks.jobs.job_context import JobContext
from tasks.models.route import Route
from tasks.strategies.text_answerer import DocumentAsk, TextAnswerer


def _begun_at(job: JobContext, reading: DocumentReading) -> TextAnswerer | None:
    """Return the route at which a document was begun before the job was taken up again, if it was."""
    for answerer in job.answerers:
        with contextlib.suppress(DocumentFailed):
            if answerer.about(reading.fields).has_begun(reading.content):
                return answerer
    return None


def completed(job: JobContext[Any], document: Document, result: Result) -> Result:
    """Return a document's rows with the columns that it carries, and the fields of its answer."""
    row, form = result.document, job.prepared.form
    if form is None and not document.columns and not job.prepared.carried.joined:
        return result
    output = row["output"] if row["status"] != "failed" else None
    more = job.prepared.carried.values(document) | (form.values(output) if form else {})
    return result._replace(document={**row, **more}, fingerprint=job.fingerprint_of(document))


async def answered(
    job: JobContext, document: Document, progress: DocumentProgress, reading: DocumentReading | DocumentFailed
) -> Result:
    """Answer a document at the first available route; if it moves to another one, its text is cut again for that."""
    if isinstance(reading, DocumentFailed):
        return document_rows(job.ledger.job_id, document, progress, None, reading, job.first_route)
    refused: dict[Route, TokenMeasure] = {}
    preferred = await asyncio.to_thread(_begun_at, job, reading) if job.may_have_begun else None
    while True:
        answerer = (await job.scheduler.route(progress, preferred)).about(reading.fields)
        client = answerer.client
        cut = reading.cuts.get(client.route)
        try:
            if cut is None:
                cut = await asyncio.to_thread(answerer.cut, reading.content, refused.get(client.route))
                reading.cuts[client.route] = cut
            ask = DocumentAsk(answerer, progress, cut)
            end: Outcome | DocumentFailed = ask.concluded(await answerer.strategy.run(ask))
        except RouteUnavailable:
            continue
        except Overflow as error:
            cut = reading.cuts.pop(client.route)
            refused[client.route] = cut.measure
            client.measures.overflowed(cut.measure, client.route.window.context, error.words)
            progress.cuts += 1
            continue
        except DocumentFailed as error:
            end = error
        await progress.heard_out()
        return document_rows(job.ledger.job_id, document, progress, reading, end, client.route, cut)
