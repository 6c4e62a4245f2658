"""Ask one route for vectors: what was paid before first, then the provider."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from tasks.chunking.split import split
from tasks.dispatch.dispatcher import Call, Delivered, Paid
from tasks.errors import CallFailed, Overflow, RouteLost, SetAside
from tasks.jobs.ask import given_up
from tasks.jobs.embed.cutting import EmbedCutter
from tasks.jobs.embed.pack import Packing, Piece, pack
from tasks.jobs.embed.share import Share, shared
from tasks.jobs.embed.space import Space
from tasks.jobs.meter import Meter
from tasks.jobs.pay import Paying, Usage
from tasks.jobs.rows import Work
from tasks.ledger.records import Kept
from tasks.providers.vectors import Embedding, Matrix, Vectors
from tasks.providers.wire import call_id, encode
from tasks.routing.route import Route

# A text that a provider counts as too long is cut in two, and each half again, so often.
MOST_CUTS = 5


class Came(NamedTuple):
    """An answered request: its texts' vectors in order, and how they came.

    `mine`: this job paid it; `shares` are those of the documents that it was asked for.
    """

    call_id: str
    route: Route
    vectors: Matrix
    shares: Mapping[str, Share]
    attempts: int
    latency_ms: int
    created_at: datetime
    mine: bool


class Leaf(NamedTuple):
    """A stretch of a text and its vector: the `place` in a request that came, or why it failed.

    All of a text, unless the provider took it for too long.
    """

    start: int
    end: int
    tokens: int
    came: Came | None
    place: int
    error: SetAside | None = None
    call_id: str | None = None


@dataclass(slots=True)
class Embedder(Paying):
    """Asks one route for one job, on one event loop."""

    meter: Meter
    cutter: EmbedCutter
    packing: Packing
    space: Space
    dimensions: int | None
    base64: bool
    foreseen: Collection[str]

    async def embed(self, work: Work, pieces: Sequence[Piece]) -> list[list[Leaf]]:
        """Return the leaves of each piece; one that fails doesn't spoil its neighbours.

        Raises RouteLost for the route, and JobStopped.
        """
        groups = list(pack(pieces, self.packing))
        every = await asyncio.gather(*(self._group(work, group) for group in groups), return_exceptions=True)
        found: list[list[Leaf]] = []
        for one in every:
            if isinstance(one, BaseException):
                raise one
            found += one
        return found

    def was_halved(self, pieces: Sequence[Piece], calls: Collection[str]) -> bool:
        """Whether calls are of halves of a request of these pieces, as it is asked where it is refused."""
        left = set(calls) - {self.call_of(pieces).call_id}
        if not left or len(pieces) == 1:
            return not left
        middle = len(pieces) // 2
        inside = [set(calls) & self._calls_within(half) for half in (pieces[:middle], pieces[middle:])]
        return left <= inside[0] | inside[1]

    def _calls_within(self, pieces: Sequence[Piece]) -> set[str]:
        middle = len(pieces) // 2
        halves = (pieces[:middle], pieces[middle:]) if middle else ()
        return {self.call_of(pieces).call_id}.union(*map(self._calls_within, halves))

    async def _group(self, work: Work, pieces: Sequence[Piece]) -> list[list[Leaf]]:
        """Ask for all of a request; where it is refused, for each half, down to the text that is the trouble."""
        call = self.call_of(pieces)
        try:
            came = self._found(work, call, pieces) or await self._paid(work, call, pieces)
        except CallFailed as error:
            aside = error if isinstance(error, SetAside) else given_up(error)
            if len(pieces) > 1:
                middle = len(pieces) // 2
                return await self._group(work, pieces[:middle]) + await self._group(work, pieces[middle:])
            if isinstance(error, Overflow) and (halves := self._halves(pieces[0])):
                return [await self._parts(work, halves)]
            piece = pieces[0]
            return [[Leaf(0, len(piece.text), piece.tokens, None, 0, aside, call.call_id)]]
        return _leaves(came, pieces)

    async def _parts(self, work: Work, halves: Sequence[tuple[int, Piece]]) -> list[Leaf]:
        """Return the leaves of a text's parts, as places in the whole text."""
        found: list[Leaf] = []
        for start, piece in halves:
            (leaves,) = await self._group(work, [piece])
            found += (leaf._replace(start=start + leaf.start, end=start + leaf.end) for leaf in leaves)
        return found

    def _halves(self, piece: Piece) -> list[tuple[int, Piece]]:
        """Cut a text that the provider counts as too long, though we don't; nothing where it is too short for that."""
        limit = max(piece.tokens // 2, 1)
        if piece.tokens < self.cutter.limit >> MOST_CUTS or limit < 2:
            return []
        chunks = split(piece.text, limit, self.cutter.tokenizer)
        return [
            (chunk.start, self.space.piece(piece.text[chunk.start : chunk.end], chunk.tokens, piece.document_id))
            for chunk in chunks
        ]

    def call_of(self, pieces: Sequence[Piece]) -> Call:
        """Return the request for some pieces."""
        texts = tuple(piece.text for piece in pieces)
        dispatcher, route = self.dispatcher, self.route
        request = Embedding(route.id, texts, self.dimensions, self.base64, route.upstream)
        path, body = dispatcher.wire.embedding(request)
        encoded = encode(body)
        identity = call_id(route.provider, dispatcher.account.place, path, encoded)
        return Call(identity, path, encoded, sum(piece.tokens for piece in pieces), 0, inputs=len(pieces))

    def _found(self, work: Work, call: Call, pieces: Sequence[Piece]) -> Came | None:
        """Return what was kept of a request, if it can be read; it isn't paid for again."""
        kept = self.payer.ledger.answer(call.call_id)
        if kept is None:
            return None
        try:
            vectors = self._checked(self.dispatcher.read(kept.reply, call.inputs))
        except (CallFailed, RouteLost):
            return None
        self.meter.found()
        self.dispatcher.notes.reused(call.call_id, work.document_id)
        return self._came(call, vectors, pieces, self._cost(vectors, call, 1), kept)

    async def _paid(self, work: Work, call: Call, pieces: Sequence[Piece]) -> Came:
        if call.call_id in work.given_up:
            raise work.given_up[call.call_id]
        delivered = await self.payer.pay(
            work, call, lambda paid, times: self._usage(paid, call, times), lambda: self._place(call, pieces)
        )
        vectors = self._checked(delivered.answer)
        cost = self._cost(vectors, call, 2 if delivered.hedged else 1)
        self.meter.paid(_tokens(vectors, call), 0, cost)
        return self._came(call, vectors, pieces, cost, delivered)

    def _place(self, call: Call, pieces: Sequence[Piece]) -> None:
        """Note where the texts of a request are that wasn't foreseen: a half, or another route's."""
        if call.call_id not in self.foreseen:
            places = [(piece.text_id, piece.document_id, place) for place, piece in enumerate(pieces)]
            self.payer.ledger.placed(call.call_id, places)

    def _came(
        self, call: Call, vectors: Vectors, pieces: Sequence[Piece], cost: float | None, how: Kept | Delivered
    ) -> Came:
        when = how.created_at if isinstance(how, Kept) else datetime.now(UTC)
        mine = not isinstance(how, Kept) or how.job_id == self.payer.ledger.job_id
        shares = shared(pieces, _tokens(vectors, call), cost) if mine else {}
        return Came(call.call_id, self.route, vectors.vectors, shares, how.attempts, how.latency_ms, when, mine)

    def placed(self, call: str, places: Sequence[int]) -> Came | None:
        """Return vectors that lie at some places of a kept answer, if it can be read; they are numbered from 0."""
        kept = self.payer.ledger.answer(call)
        if kept is None:
            return None
        try:
            vectors = self._checked(self.dispatcher.wire.vectors(kept.reply, None))
            some = vectors.vectors[list(places)]
        except (CallFailed, RouteLost, IndexError):
            return None
        mine = kept.job_id == self.payer.ledger.job_id
        return Came(call, self.route, some, {}, kept.attempts, kept.latency_ms, kept.created_at, mine)

    def _checked(self, paid: Paid) -> Vectors:
        """Return vectors of the dimensions that they all have. Raises RouteLost where they have others."""
        if not isinstance(paid, Vectors):
            raise TypeError("an answer in place of vectors")
        wrong = self.space.wrong(paid.vectors.shape[1], self.route.label)
        if wrong is not None:
            self.dispatcher.lose(wrong)
            raise wrong
        return paid

    def _usage(self, paid: Paid, call: Call, times: int) -> Usage:
        return Usage(_tokens(paid, call), 0, self._cost(paid, call, times))

    def _cost(self, paid: Paid, call: Call, times: int) -> float | None:
        if paid.cost is not None:
            return paid.cost * times
        return self.route.price.cost(_tokens(paid, call), 0) * times if self.route.price else None


def _tokens(paid: Paid, call: Call) -> int:
    """The tokens of a request, as the provider counts them, else as we do."""
    return call.prompt_tokens if paid.prompt_tokens is None else paid.prompt_tokens


def _leaves(came: Came, pieces: Sequence[Piece]) -> list[list[Leaf]]:
    return [[Leaf(0, len(piece.text), piece.tokens, came, place)] for place, piece in enumerate(pieces)]
