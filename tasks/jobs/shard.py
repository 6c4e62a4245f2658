"""One shard: answer its documents, and write their rows as they come."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from tasks.documents.document import Document
from tasks.documents.extract import extract
from tasks.errors import DocumentFailed, JobStopped, RouteLost
from tasks.jobs.cut import Cut
from tasks.jobs.job import Job, Settled
from tasks.jobs.rows import Reading, Result, Work, document_rows
from tasks.ledger.ledger import Finished
from tasks.results.parts import write_part
from tasks.results.schemas import Row

CALLS_A_SHARD = 1000
FLUSH_SECONDS = 5.0
CHARACTERS_A_TOKEN = 4


def shards(documents: Iterable[Document], tokens_a_call: int) -> Iterator[list[Document]]:
    """Yield groups of documents of about CALLS_A_SHARD calls, judged by their size."""
    group: list[Document] = []
    calls = 0
    for document in documents:
        group.append(document)
        calls += 1 + document.size // (tokens_a_call * CHARACTERS_A_TOKEN)
        if calls >= CALLS_A_SHARD:
            yield group
            group, calls = [], 0
    if group:
        yield group


async def run_shard(job: Job, documents: Sequence[Document]) -> int:
    """Answer a shard's documents and write their rows; return how many were written.

    What is finished is written every FLUSH_SECONDS, so that a slow shard can be read
    while it runs. Once the job is stopped, what is finished is written and the rest left.
    """
    shard = _Shard(job, job.ledger.new_part())
    tasks = [asyncio.create_task(_one(job, document)) for document in documents]
    job.tasks.update(tasks)
    for task in tasks:
        task.add_done_callback(job.tasks.discard)
    for next_done in asyncio.as_completed(tasks):
        try:
            result = await next_done
        except asyncio.CancelledError:
            continue
        except JobStopped as error:
            job.stop(error)
            continue
        except BaseException:
            for task in tasks:
                task.cancel()
            raise
        if isinstance(result, Result):
            await shard.add(result)
        else:
            job.meter.finished(result)
            shard.left[result] += 1
    await shard.flush()
    # Only now, so that a shard that is run again isn't counted twice.
    job.unchanged += shard.left["unchanged"]
    return shard.written


class _Shard:
    """The finished documents of a shard on their way to its part."""

    def __init__(self, job: Job, part: int) -> None:
        self.job, self.part = job, part
        self.written = 0
        self.left: Counter[str] = Counter()
        self._waiting: list[Result] = []
        self._flushed = time.monotonic()

    async def add(self, result: Result) -> None:
        self._waiting.append(result)
        row = result.document
        self.job.meter.finished(row["status"])
        if row["error"]:
            self.job.meter.trouble(row["document_id"], row["error"])
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            await self.flush()

    async def flush(self) -> None:
        """Assign, write, finish: in this order a kill at any instant loses nothing."""
        results, self._waiting = self._waiting, []
        if results:
            await asyncio.to_thread(_write, self.job, self.part, results)
            self.written += len(results)
        self._flushed = time.monotonic()


def _write(job: Job, part: int, results: Sequence[Result]) -> None:
    try:
        homes = job.ledger.assign([result.document["document_id"] for result in results], job.work, part)
        with job.writing:
            for home in sorted(set(homes.values())):
                mine = [result for result in results if homes[result.document["document_id"]] == home]
                write_part(job.output, home, [one.document["document_id"] for one in mine], _tables(mine))
        job.ledger.finish([_finished(result) for result in results], job.work)
    except JobStopped as error:
        job.stop(error)
        raise


def _tables(results: Sequence[Result]) -> dict[str, list[Row]]:
    return {
        "documents": [result.document for result in results],
        "calls": [row for result in results for row in result.calls],
        "failures": [row for result in results for row in result.failures],
    }


def _finished(result: Result) -> Finished:
    """Tokens and cost are what was paid for: a reused answer adds none."""
    row, paid = result.document, [call for call in result.calls if not call["reused"]]
    return Finished(
        row["document_id"],
        row["content_sha256"],
        row["status"],
        len(result.calls),
        len(result.calls) - len(paid),
        sum(call["prompt_tokens"] for call in paid),
        sum(call["completion_tokens"] for call in paid),
        row["cost_usd"],
    )


async def _one(job: Job, document: Document) -> Result | Settled:
    """Answer one document, or say why it needs nothing; at most so many at once."""
    async with job.places:
        job.check()
        try:
            reading = await asyncio.to_thread(_read, document)
        except DocumentFailed as error:
            return document_rows(job.ledger.job_id, document, Work(document.document_id), None, error, job.first_route)
        settled = job.settled(document.document_id, reading.sha256)
        if settled is not None:
            return settled
        return await _answered(job, document, reading)


def _read(document: Document) -> Reading:
    text = extract(document)
    return Reading(text, sha256(text.encode("utf-8")).hexdigest())


async def _answered(job: Job, document: Document, reading: Reading) -> Result:
    """Answer at the first route that isn't lost; at the next one the text is cut anew."""
    work = Work(document.document_id)
    for strategist in job.strategists:
        lost = strategist.asker.dispatcher.lost
        if lost is not None:
            continue
        route = strategist.asker.route
        cut: Cut | None = None
        try:
            cut = await asyncio.to_thread(strategist.cutter.cut, reading.text)
            outcome = await strategist.answer(work, cut)
        except RouteLost:
            continue
        except DocumentFailed as error:
            return document_rows(job.ledger.job_id, document, work, reading, error, route, cut)
        return document_rows(job.ledger.job_id, document, work, reading, outcome, route, cut)
    raise job.all_lost()
