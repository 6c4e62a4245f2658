"""One shard to embed: read its documents, claim their texts, ask for them packed, write the rows."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from tasks.base.errors import DocumentFailed, JobPaused
from tasks.calls.call_context import DocumentProgress
from tasks.calls.packing import TextToEmbed, pack
from tasks.calls.progress import TROUBLES
from tasks.calls.rows import Result, document_rows
from tasks.chunking.token_index import PROCESSORS
from tasks.documents.document import Document
from tasks.documents.extract import extract
from tasks.documents.groups import grouped
from tasks.embeddings.embed_job import LOOK_AGAIN_SECONDS, EmbedJob
from tasks.embeddings.embedded_rows import begun_rows, embedded_rows
from tasks.embeddings.embedder import VectorSlice
from tasks.embeddings.item import EmbeddedDocument
from tasks.jobs.answer import completed
from tasks.jobs.document_shard import CALLS_A_SHARD, FLUSH_SECONDS, Worked, note_end, shards, start
from tasks.jobs.job_context import Settled
from tasks.jobs.writing import rows_of, write, write_begun
from tasks.ledger.records import DocumentState, Owned

# A shard's texts are in memory together, with their vectors.
TEXTS_A_SHARD = 8192
READ_AT_ONCE = 512
BYTES_AT_ONCE = 4_000_000


def texts_a_shard(inputs: int) -> int:
    """Return about how many texts a shard holds where a request takes so many."""
    return min(TEXTS_A_SHARD, CALLS_A_SHARD * inputs)


def embed_shards(documents: Iterable[Document], tokens_a_chunk: int, inputs: int) -> Iterator[list[Document]]:
    """Yield groups of documents of about as many texts as a shard holds, judged by their size."""
    return shards(documents, tokens_a_chunk, texts_a_shard(inputs))


Read = EmbeddedDocument | tuple[Document, DocumentFailed | Settled]


async def run_embed_shard(job: EmbedJob, number: int, documents: Sequence[Document], part: int) -> Worked:
    """Embed a shard's documents and write their rows to `part`.

    `number` is the shard's, from 1, in the order of the documents.
    """
    async with contextlib.AsyncExitStack() as stack:
        async with job.turns.of(number, job.stopped):
            # A repeated shard takes no place, as the shards that hold all places may wait for it.
            if job.turns.awaits(number):
                await stack.enter_async_context(job.shards)
            shard = _EmbedShard(job, number, part)
            stack.callback(shard.end)
            job.observer.note("shard began", part=part, documents=len(documents))
            await shard.begin(documents)
        return await shard.run()


@dataclass(slots=True)
class _EmbedShard:
    job: EmbedJob
    number: int
    part: int
    written: int = 0
    unchanged: int = 0
    failed: list[Result] = field(default_factory=list)
    items: list[EmbeddedDocument] = field(default_factory=list)
    asking: "list[asyncio.Task[None]]" = field(default_factory=list)
    leaves: dict[str, list[VectorSlice]] = field(default_factory=dict)
    mine: Sequence[Sequence[TextToEmbed]] = ()

    async def begin(self, documents: Sequence[Document]) -> None:
        """Read the documents, claim their texts, and begin to ask for them."""
        job = self.job
        job.scheduler.read += len(documents)
        try:
            reads = await self._read(documents)
        except (JobPaused, asyncio.CancelledError) as error:
            job.stop(error if isinstance(error, JobPaused) else JobPaused("stopped"))
            job.scheduler.ended += len(documents)
            return
        self._sort(reads)
        job.scheduler.ended += len(documents)  # from here on requests are waited for, not documents
        async with job.claiming.of(self.number):
            await self._ask_all({piece.text_id for item in self.items if not item.written for piece in item.pieces})

    async def _ask_all(self, needed: set[str]) -> None:
        """Claim all texts, including those of written documents, to pack them as before; ask for the needed ones."""
        if not needed:
            return
        job = self.job
        claim = await job.claims.claim((piece for item in self.items for piece in item.pieces), job.answerers[0])
        self.mine, self.leaves = claim.mine, {**claim.found}
        for group in claim.mine:
            if needed.isdisjoint(piece.text_id for piece in group):
                job.claims.release(group)
            else:
                self.asking.append(start(job, self._ask(group, claim.begun)))
        for text_id in needed & claim.awaited.keys():
            self.asking.append(start(job, self._await(text_id, claim.awaited[text_id])))
        abroad = [piece for piece in claim.abroad if piece.text_id in needed]
        if abroad:
            self.asking.append(start(job, self._await_abroad(abroad)))

    async def _read(self, documents: Sequence[Document]) -> list[Read]:
        """Read on all processors."""
        room = asyncio.Semaphore(PROCESSORS)

        async def one(batch: Sequence[Document]) -> list[Read]:
            async with room:
                self.job.check()
                return await asyncio.to_thread(_read_all, self.job, batch)

        found = await asyncio.gather(
            *(start(self.job, one(batch)) for batch in grouped(documents, READ_AT_ONCE, BYTES_AT_ONCE))
        )
        return [read for batch in found for read in batch]

    def _sort(self, reads: Sequence[Read]) -> None:
        """Keep what is to be embedded; what failed has its rows, and what is done needs none."""
        job = self.job
        for read in reads:
            if isinstance(read, EmbeddedDocument):
                self.items.append(read)
                if read.written:
                    job.meter.finished("resumed")
                else:
                    document_id = read.document.document_id
                    job.observer.note("document began", part=self.part, document_id=document_id)
                continue
            document, why = read
            if isinstance(why, DocumentFailed):
                progress = DocumentProgress(document.document_id)
                failed = document_rows(job.ledger.job_id, document, progress, None, why, job.first_route)
                self.failed.append(completed(job, document, failed))
            else:
                job.meter.finished(why)
                self.unchanged += why == "unchanged"

    async def _ask(self, pieces: Sequence[TextToEmbed], begun: Mapping[str, Owned]) -> None:
        try:
            every = await self.job.ask(pieces, begun)
        except JobPaused as error:
            self.job.stop(error)
            return
        found = dict(zip([piece.text_id for piece in pieces], every, strict=True))
        self.leaves |= found
        self.job.claims.settle(found)

    async def _await(self, text_id: str, future: "asyncio.Future[list[VectorSlice]]") -> None:
        """Wait for a text that another shard asks for; if that shard is stopped, this one is, too."""
        await asyncio.wait({future})
        if not future.cancelled():
            self.leaves[text_id] = future.result()

    async def _await_abroad(self, pieces: Sequence[TextToEmbed]) -> None:
        """Poll for the vectors of texts that other workers ask for; what they leave missing is asked for here."""
        job = self.job
        while pieces:
            alone = await job.claiming.is_first(self.number)
            found = await job.claims.look(pieces, job.answerers[0])
            self.leaves |= found
            pieces = [piece for piece in pieces if piece.text_id not in found]
            if alone:
                await asyncio.gather(*(self._ask(group, {}) for group in pack(pieces, job.packing)))
                return
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def run(self) -> Worked:
        """Write what is complete every FLUSH_SECONDS, until all is."""
        waiting = set(self.asking)
        while waiting:
            done, waiting = await asyncio.wait(waiting, timeout=FLUSH_SECONDS)
            for task in done:
                if not task.cancelled():
                    task.result()
            await self._flush()
        await self._flush()
        await self._put_down_begun()
        self.job.observer.note("shard ended", part=self.part, written=self.written)
        return Worked(self.written, self.unchanged)

    async def _flush(self) -> None:
        """Write the documents whose texts have all come."""
        complete: list[EmbeddedDocument] = []
        left: list[EmbeddedDocument] = []
        for item in self.items:
            is_whole = self.leaves.keys() >= {piece.text_id for piece in item.pieces}
            (complete if is_whole else left).append(item)
        self.items = left
        complete = [item for item in complete if not item.written]
        failed, self.failed = self.failed, []
        if complete or failed:
            done = await asyncio.to_thread(self._write, complete, failed)
            self.written += len(complete) + len(failed) if done else 0

    async def _put_down_begun(self) -> None:
        """Write the rows of calls paid for documents that the stopped job has left unfinished."""
        rows = begun_rows(self.job, (item for item in self.items if not item.written), self.leaves)
        if rows.finished:
            await asyncio.to_thread(write_begun, self.job, self.part, rows)

    def _write(self, items: Sequence[EmbeddedDocument], failed: Sequence[Result]) -> bool:
        try:
            self.job.make_chunks()
        except JobPaused as error:
            self.job.stop(error)
            return False
        every = [rows_of(failed, self.job.schemas), embedded_rows(self.job, items, self.leaves)]
        for rows in every:
            self._count(rows.tables["documents"])
        return write(self.job, self.part, *every)

    def _count(self, documents: pa.Table) -> None:
        meter = self.job.meter
        ends = documents.select(["document_id", "status", "error_kind"]).to_pylist()
        for status, count in Counter(row["status"] for row in ends).items():
            meter.finished(status, count)
        for row in ends:
            note_end(self.job, row)
        bad = documents.filter(pc.is_valid(documents["error"]))
        for row in bad.slice(0, TROUBLES).select(["document_id", "error"]).to_pylist():
            meter.trouble(row["document_id"], row["error"])

    def end(self) -> None:
        """Forget the texts: they are written, or the job is stopped."""
        for task in self.asking:
            task.cancel()
        for group in self.mine:
            self.job.claims.release(group)


def _read_all(job: EmbedJob, documents: Sequence[Document]) -> list[Read]:
    """Read and cut documents. Not on the event loop. Raises JobPaused once the job is stopped."""
    seen = job.ledger.seen([document.document_id for document in documents])
    return [_read(job, document, seen.get(document.document_id)) for document in documents]


def _read(job: EmbedJob, document: Document, seen: DocumentState | None) -> Read:
    job.check()
    try:
        content = extract(document, lambda: job.stopped() is not None)
        digest = sha256(content.text.encode("utf-8")).hexdigest()
        settled = job.settled(document, digest, seen)
        if settled == "unchanged":
            return document, settled
        chunks = job.answerers[0].cutter.chunks(content, job.check)
    except DocumentFailed as error:
        job.check()
        return document, error
    text = content.text
    pieces = tuple(
        job.space.piece(text[chunk.start : chunk.end], chunk.tokens, document.document_id) for chunk in chunks
    )
    return EmbeddedDocument(document, content, digest, chunks, pieces, settled == "resumed")
