"""An embedding job, and how its shards take turns."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from tasks.base.errors import JobPaused, RouteUnavailable
from tasks.calls.call_context import DocumentProgress
from tasks.calls.packing import Packing, TextToEmbed
from tasks.embeddings.claims import Claims
from tasks.embeddings.embedder import Embedder, VectorSlice
from tasks.embeddings.space import Space
from tasks.jobs.job import Job
from tasks.jobs.job_context import Settled
from tasks.ledger.records import Owned
from tasks.results.footers import part_name
from tasks.results.parts import create_tables, read_part
from tasks.results.schemas import Schemas, chunks_schema

# Texts whose vectors are under way, or not written yet: they bound the memory.
TEXTS_AT_ONCE = 32_768
LOOK_AGAIN_SECONDS = 0.5


@dataclass(slots=True)
class Turns:
    """The order in which shards read and claim their texts: as they were announced by `expect`."""

    _expected: deque[int] = field(default_factory=deque)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def expect(self, number: int) -> None:
        """Put a shard behind those that are expected already; from any thread."""
        self._expected.append(number)

    @contextlib.asynccontextmanager
    async def of(self, number: int, stopped: Callable[[], object]) -> AsyncIterator[None]:
        """Wait for the shards before this one, then run the block; a repeated shard has had its turn and doesn't wait.

        Once the job is stopped, no shard waits, as an earlier one may never come.
        """
        async with self._changed:
            while self.awaits(number) and self._expected[0] != number and not stopped():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                        await self._changed.wait()
        try:
            yield
        finally:
            async with self._changed:
                if self.awaits(number):
                    self._expected.remove(number)
                self._changed.notify_all()

    def awaits(self, number: int) -> bool:
        """Whether a shard hasn't had its turn yet."""
        return number in self._expected


class Claiming(Protocol):
    """Which shard may claim its texts now, among those of all workers."""

    def of(self, number: int) -> contextlib.AbstractAsyncContextManager[None]:
        """Claim for the block, once all shards before have."""
        ...

    async def is_first(self, number: int) -> bool:
        """Whether all shards before are finished."""
        ...


class AloneInJob:
    """The only worker: its own turns are all there is to wait for."""

    @contextlib.asynccontextmanager
    async def of(self, number: int) -> AsyncIterator[None]:  # noqa: ARG002 - as a worker's
        """Claim at once."""
        yield

    async def is_first(self, number: int) -> bool:  # noqa: ARG002 - as a worker's
        """Nobody else asks for anything."""
        return True


@dataclass(slots=True)
class EmbedJob(Job[Embedder]):
    """A job whose answers are vectors. A resumed one reads finished documents again, to pack the same requests."""

    passes: ClassVar[Collection[Settled]] = frozenset[Settled]({"unchanged"})

    space: Space = field(default_factory=lambda: Space("", None))
    claims: Claims = field(init=False)
    turns: Turns = field(default_factory=Turns)
    claiming: Claiming = field(default_factory=AloneInJob)
    _made: bool = False
    shards: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    def __post_init__(self) -> None:
        """Claims are kept in the ledger."""
        Job.__post_init__(self)
        self.claims = Claims(self.ledger)

    @property
    def schemas(self) -> Schemas:
        """The schemas of the result tables; that of chunks once the dimensions are known."""
        known = self.space.dimensions
        tables = self.prepared.schemas
        return {**tables, "chunks": chunks_schema(known)} if known else tables

    def make_chunks(self) -> None:
        """Make the table of chunks once its dimensions are known. Not on the event loop.

        Raises JobPaused where the result set has vectors of others.
        """
        known = self.space.dimensions
        with self.writing:  # shards come here side by side
            if known is not None and not self._made:
                self._made = self._make(known)

    def _make(self, known: int) -> bool:
        schema = chunks_schema(known)
        create_tables(self.output, {"chunks": schema})
        held = read_part(self.output, part_name("chunks", 0)).schema.field("embedding").type.list_size
        if held != known:
            raise JobPaused(
                f"{self.output.location} holds vectors of {held} dimensions, not {known}: give another --output"
            )
        return True

    @property
    def packing(self) -> Packing:
        """What a request holds at the first route."""
        return self.answerers[0].packing

    async def ask(self, pieces: Sequence[TextToEmbed], begun: Mapping[str, Owned]) -> list[list[VectorSlice]]:
        """Return the leaves of a request's pieces, from the first route that is there.

        `begun` are those that were answered before the job was taken up again. Raises JobPaused.
        """
        progress = DocumentProgress(f"texts {pieces[0].text_id}")
        self.scheduler.ended -= 1  # it is waited for as a document is, until it is left
        try:
            while True:
                embedder = await self.scheduler.route(progress)
                try:
                    found = await self._asked(embedder, progress, pieces, begun)
                    await progress.heard_out()
                except RouteUnavailable:
                    embedder.settle(progress, used=False)
                except BaseException as error:
                    if isinstance(error, JobPaused):
                        self.stop(error)
                    await progress.heard_out(cut_off=not isinstance(error, JobPaused))
                    embedder.settle(progress, used=False)
                    raise
                else:
                    embedder.settle(progress, used=True)
                    return found
        finally:
            self.scheduler.left(progress)

    async def _asked(
        self, embedder: Embedder, progress: DocumentProgress, pieces: Sequence[TextToEmbed], begun: Mapping[str, Owned]
    ) -> list[list[VectorSlice]]:
        known = {piece.text_id: begun[piece.text_id] for piece in pieces if piece.text_id in begun}
        calls = {owned.call_id for owned in known.values() if owned.call_id}
        if not calls or embedder.was_halved(pieces, calls):
            return await embedder.embed(progress, pieces)
        # The earlier run packed them differently: only those without a vector are asked for.
        found = self.claims.found(known, {piece.text_id: piece for piece in pieces}, embedder)
        left = [piece for piece in pieces if piece.text_id not in found]
        asked = await embedder.embed(progress, left) if left else []
        found |= {piece.text_id: leaves for piece, leaves in zip(left, asked, strict=True)}
        return [found[piece.text_id] for piece in pieces]
