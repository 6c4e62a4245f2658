"""One shard: answer its documents, and write their rows as they come."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from tasks.base.errors import DocumentFailed, JobPaused
from tasks.calls.call_context import DocumentProgress
from tasks.calls.estimate import CHARACTERS_A_TOKEN
from tasks.calls.rows import DocumentReading, Result
from tasks.chunking.token_index import PROCESSORS
from tasks.documents.document import Document
from tasks.documents.groups import grouped
from tasks.jobs.answer import answered, completed
from tasks.jobs.job_context import JobContext, Settled
from tasks.jobs.reading import BYTES_AT_ONCE, DOCUMENTS_AT_ONCE, Read, read_all
from tasks.jobs.writing import begun_rows, rows_of, write, write_begun

CALLS_A_SHARD = 1000
FLUSH_SECONDS = 5.0
T = TypeVar("T")


def shards(documents: Iterable[Document], tokens_a_call: int, most: int = 0) -> Iterator[list[Document]]:
    """Yield groups of documents of about so many calls, or texts to embed, judged by their size (CALLS_A_SHARD)."""
    most = most or CALLS_A_SHARD
    group: list[Document] = []
    calls = 0
    for document in documents:
        group.append(document)
        calls += 1 + document.size // (tokens_a_call * CHARACTERS_A_TOKEN)
        if calls >= most:
            yield group
            group, calls = [], 0
    if group:
        yield group


class Worked(NamedTuple):
    """How many documents of a shard were written, and how many were unchanged since an earlier job."""

    written: int
    unchanged: int


async def run_shard(job: JobContext, documents: Sequence[Document], part: int | None = None) -> Worked:
    """Answer a shard's documents and write their rows, to `part` or a new one.

    What is finished is written every FLUSH_SECONDS, so that a slow shard can be read
    while it runs. Once the job is stopped, what is finished is written and the rest left.
    """
    part = part or job.ledger.new_part()
    shard = _DocumentShard(job, part)
    job.observer.note("shard began", part=part, documents=len(documents))
    answering = start(job, shard.answer(documents))
    while not answering.done():
        await asyncio.wait({answering}, timeout=FLUSH_SECONDS)
        await shard.flush()
    await shard.flush()
    with contextlib.suppress(asyncio.CancelledError):
        await answering
    await shard.put_down_begun()
    job.observer.note("shard ended", part=part, written=shard.written)
    return Worked(shard.written, shard.left["unchanged"])


def start(job: JobContext[Any], coroutine: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """Start a task that ends with the job."""
    task = asyncio.create_task(coroutine)
    job.tasks.add(task)
    task.add_done_callback(job.tasks.discard)
    return task


class _DocumentShard:
    """The documents of a shard on their way from the source to its part."""

    def __init__(self, job: JobContext, part: int) -> None:
        self.job, self.part = job, part
        self.written = 0
        self.left: Counter[str] = Counter()
        self._waiting: list[Result] = []
        self._begun: list[DocumentProgress] = []

    async def answer(self, documents: Sequence[Document]) -> None:
        """Read the documents in small batches, and answer them side by side."""
        tasks: set[asyncio.Task[None]] = set()
        try:
            await self._begin_all(documents, tasks)
            if tasks:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in filter(_broke, tasks):
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _begin_all(self, documents: Sequence[Document], tasks: "set[asyncio.Task[None]]") -> None:
        """Begin the documents in their order; a batch is read on each processor meanwhile."""
        reads: deque[asyncio.Task[list[Read]]] = deque()
        try:
            for batch in grouped(documents, DOCUMENTS_AT_ONCE, BYTES_AT_ONCE):
                reads.append(start(self.job, self._read(batch)))
                if len(reads) == PROCESSORS:
                    self._begin(await reads.popleft(), tasks)
            while reads:
                self._begin(await reads.popleft(), tasks)
        except JobPaused as error:
            self.job.stop(error)  # which lets the calls in flight finish
        finally:
            for read in reads:
                read.cancel()
            for left in await asyncio.gather(*reads, return_exceptions=True):
                if not isinstance(left, BaseException):
                    self._release(len(left))

    def _begin(self, batch: "Sequence[Read]", tasks: "set[asyncio.Task[None]]") -> None:
        tasks -= {task for task in tasks if task.done() and not _broke(task)}
        for document, reading in batch:
            if isinstance(reading, str):
                self._leave(reading)
            else:
                tasks.add(start(self.job, self._one(document, reading)))

    async def _read(self, batch: Sequence[Document]) -> "list[Read]":
        """Read a batch once there are places for all of it; one shard at a time takes places."""
        taken = 0
        try:
            async with self.job.reading:
                for _ in batch:
                    self.job.check()
                    await self.job.slots.acquire()
                    taken += 1
            self.job.scheduler.read += len(batch)
            return await asyncio.to_thread(read_all, self.job, batch)
        except BaseException:
            self._release(taken)
            raise

    def _release(self, places: int) -> None:
        for _ in range(places):
            self.job.slots.release()

    async def _one(self, document: Document, reading: DocumentReading | DocumentFailed) -> None:
        """Answer one document, then free its place for another."""
        progress = DocumentProgress(document.document_id)
        self.job.observer.note("document began", part=self.part, document_id=document.document_id)
        try:
            self._add(completed(self.job, document, await answered(self.job, document, progress, reading)))
        except JobPaused as error:
            self._begun.append(progress)
            self.job.stop(error)
            await progress.heard_out()
        except asyncio.CancelledError:
            self._begun.append(progress)
            await progress.heard_out(cut_off=True)
            raise
        finally:
            self.job.scheduler.left(progress)
            self.job.slots.release()

    def _leave(self, settled: Settled) -> None:
        """Count a document that needs no answer."""
        self.job.meter.finished(settled)
        self.left[settled] += 1
        self.job.scheduler.ended += 1
        self.job.slots.release()

    def _add(self, result: Result) -> None:
        self._waiting.append(result)
        row = result.document
        self.job.meter.finished(row["status"])
        note_end(self.job, row)
        if row["error"]:
            self.job.meter.trouble(row["document_id"], row["error"])

    async def flush(self) -> None:
        """Assign, write, finish: in this order a kill at any instant loses nothing."""
        results, self._waiting = self._waiting, []
        if results:
            written = await asyncio.to_thread(self._write, results)
            self.written += len(results) if written else 0

    async def put_down_begun(self) -> None:
        """Write the rows of calls paid for documents that the stopped job has left unfinished."""
        begun = [progress for progress in self._begun if progress.calls]
        if begun:
            await asyncio.to_thread(write_begun, self.job, self.part, begun_rows(begun, self.job.schemas))

    def _write(self, results: Sequence[Result]) -> bool:
        return write(self.job, self.part, rows_of(results, self.job.schemas))


def note_end(job: JobContext[Any], row: Mapping[str, Any]) -> None:
    """Record the event that a document has ended."""
    job.observer.note(
        "document ended", document_id=row["document_id"], status=row["status"], error_kind=row["error_kind"]
    )


def _broke(task: "asyncio.Task[None]") -> bool:
    """Whether a task ended with an unexpected exception, which has to be raised."""
    return task.done() and not task.cancelled() and task.exception() is not None
