"""Answer one document, at whichever of the job's routes is there."""

import asyncio
import contextlib
from typing import Any

from tasks.base.errors import DocumentFailed, Overflow, RouteUnavailable
from tasks.calls.cutting import Cut
from tasks.calls.rows import DocumentProgress, DocumentReading, Result, document_rows
from tasks.calls.token_calibration import TokenMeasure
from tasks.documents.document import Document
from tasks.jobs.job import Job
from tasks.models.route import Route
from tasks.strategies.text_answerer import TextAnswerer


def _begun_at(job: Job, reading: DocumentReading) -> TextAnswerer | None:
    """Return the route at which a document was begun before the job was taken up again, if it was."""
    for strategist in job.strategists:
        with contextlib.suppress(DocumentFailed):
            if strategist.about(reading.fields).has_begun(reading.content):
                return strategist
    return None


def completed(job: Job[Any], document: Document, result: Result) -> Result:
    """Return a document's rows with the columns that it carries, and the fields of its answer."""
    row, form = result.document, job.prepared.form
    if form is None and not document.columns and not job.prepared.carried.joined:
        return result
    output = row["output"] if row["status"] != "failed" else None
    more = job.prepared.carried.values(document) | (form.values(output) if form else {})
    return result._replace(document={**row, **more}, work=job.work_of(document))


async def answered(
    job: Job, document: Document, work: DocumentProgress, reading: DocumentReading | DocumentFailed
) -> Result:
    """Answer at the first route that is there; at another one the text is cut anew."""
    if isinstance(reading, DocumentFailed):
        return document_rows(job.ledger.job_id, document, work, None, reading, job.first_route)
    refused: dict[Route, TokenMeasure] = {}
    preferred = await asyncio.to_thread(_begun_at, job, reading) if job.may_have_begun else None
    while True:
        strategist = (await job.waiting.route(work, preferred)).about(reading.fields)
        route = strategist.asker.route
        cut: Cut | None = None
        try:
            cut = reading.cuts.get(route)
            if cut is None:
                cut = await asyncio.to_thread(strategist.cut, reading.content, refused.get(route))
                reading.cuts[route] = cut
            outcome = await strategist.answer(work, cut)
        except RouteUnavailable:
            continue
        except Overflow as error:
            cut = reading.cuts.pop(route)
            refused[route] = cut.measure
            strategist.measures.overflowed(cut.measure, route.window.context, error.words)
            work.cuts += 1
            continue
        except DocumentFailed as error:
            await work.heard_out()
            return document_rows(job.ledger.job_id, document, work, reading, error, route, cut)
        await work.heard_out()
        return document_rows(job.ledger.job_id, document, work, reading, outcome, route, cut)
