"""Embed texts at one route: from the ledger if an answer was paid before, else by the provider."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

import numpy as np

from tasks.base.errors import CallFailed, CallRejected, Overflow, RouteUnavailable
from tasks.calls.asker import given_up
from tasks.calls.call_context import DocumentProgress
from tasks.calls.embedding_cutter import EmbedCutter
from tasks.calls.packing import Packing, TextToEmbed, pack
from tasks.calls.route_client import PaidUsage, RouteClient
from tasks.chunking.splitter import split
from tasks.dispatch.exchange import Exchange, Paid
from tasks.dispatch.exchanger import Delivered
from tasks.embeddings.cost_share import Share, shared
from tasks.embeddings.space import Space
from tasks.ledger.records import StoredAnswer
from tasks.models.route import Route
from tasks.providers.call import ENCODING_FORMAT, Call, build_call
from tasks.providers.vectors import Embedding, Matrix, Vectors

# How often a text that the provider counts as too long may be halved.
MOST_CUTS = 5


class EmbeddingReply(NamedTuple):
    """An answered request: the vectors of its texts, in order, and how it was answered.

    `mine`: this job paid for it; `shares` are those of the documents that it was sent for.
    `error_kind` says why a paid answer is unusable; it has no vectors then.
    """

    call_id: str
    route: Route
    vectors: Matrix
    shares: Mapping[str, Share]
    attempts: int
    latency_ms: int
    created_at: datetime
    mine: bool
    error_kind: str | None = None
    bad: frozenset[int] = frozenset()


class VectorSlice(NamedTuple):
    """A stretch of a text and its vector, which is `row` of the reply `came`, or why it failed.

    The stretch is the whole text, unless the provider counted that as too long.
    """

    start: int
    end: int
    tokens: int
    came: EmbeddingReply | None
    row: int
    error: CallRejected | None = None
    call_id: str | None = None


@dataclass(slots=True)
class Embedder:
    """Asks one route for one job, on one event loop."""

    client: RouteClient
    cutter: EmbedCutter
    packing: Packing
    space: Space
    dimensions: int | None
    base64: bool
    foreseen: Collection[str]
    # Paid but unused replies by document, and those that may still be used by the id of their progress.
    unused: dict[str, list[EmbeddingReply]] = field(default_factory=dict)
    _paid_for: dict[str, list[EmbeddingReply]] = field(default_factory=dict)

    async def embed(self, progress: DocumentProgress, pieces: Sequence[TextToEmbed]) -> list[list[VectorSlice]]:
        """Return the leaves of each piece; one that fails doesn't spoil its neighbours.

        Raises RouteUnavailable for the route, and JobPaused.
        """
        groups = list(pack(pieces, self.packing))
        every = await asyncio.gather(*(self._group(progress, group) for group in groups), return_exceptions=True)
        found: list[list[VectorSlice]] = []
        for one in every:
            if isinstance(one, BaseException):
                raise one
            found += one
        return found

    def was_halved(self, pieces: Sequence[TextToEmbed], calls: Collection[str]) -> bool:
        """Whether the calls are for halves of a request of these pieces, into which it is split when refused."""
        left = set(calls) - {self.call_of(pieces).call_id}
        if not left or len(pieces) == 1:
            return not left
        middle = len(pieces) // 2
        inside = [set(calls) & self._calls_within(half) for half in (pieces[:middle], pieces[middle:])]
        return left <= inside[0] | inside[1]

    def _calls_within(self, pieces: Sequence[TextToEmbed]) -> set[str]:
        middle = len(pieces) // 2
        halves = (pieces[:middle], pieces[middle:]) if middle else ()
        return {self.call_of(pieces).call_id}.union(*map(self._calls_within, halves))

    async def _group(self, progress: DocumentProgress, pieces: Sequence[TextToEmbed]) -> list[list[VectorSlice]]:
        """Send a request; if it is refused, split it in halves, down to the text that causes the refusal."""
        call, spelled = self.call_of(pieces), self.client.dispatcher.adjustments.count
        self._put_beside(progress, call, pieces)
        try:
            came = self._found(progress, call, pieces) or await self._paid(progress, call, pieces)
        except CallFailed as error:
            aside = error if isinstance(error, CallRejected) else given_up(error)
            if self._spelled_anew(error, spelled):
                return await self._group(progress, pieces)
            if len(pieces) > 1:
                middle = len(pieces) // 2
                return await self._group(progress, pieces[:middle]) + await self._group(progress, pieces[middle:])
            if isinstance(error, Overflow) and (halves := self._halves(pieces[0])):
                return [await self._parts(progress, halves)]
            piece = pieces[0]
            return [[VectorSlice(0, len(piece.text), piece.tokens, None, 0, aside, call.call_id)]]
        found = [[VectorSlice(0, len(piece.text), piece.tokens, came, number)] for number, piece in enumerate(pieces)]
        for number in came.bad:  # asked for once more, by itself
            (found[number],) = await self._group(progress, [pieces[number]])
        return found

    def _spelled_anew(self, error: CallFailed, spelled: int) -> bool:
        """Whether to send a refused request again, given the number `spelled` of adjustments that it was sent with.

        A route that has never answered with base64 may answer without it: some refuse it without naming it.
        """
        if not self.base64 or error.status not in (400, 422, 500, 501):
            return False
        if not self.client.dispatcher.takes_format:
            self.client.dispatcher.adjustments.drop(ENCODING_FORMAT)
        return self.client.dispatcher.adjustments.count > spelled

    async def _parts(self, progress: DocumentProgress, halves: Sequence[tuple[int, TextToEmbed]]) -> list[VectorSlice]:
        """Return the leaves of a text's parts, as places in the whole text."""
        found: list[VectorSlice] = []
        for start, piece in halves:
            (leaves,) = await self._group(progress, [piece])
            found += (leaf._replace(start=start + leaf.start, end=start + leaf.end) for leaf in leaves)
        return found

    def _halves(self, piece: TextToEmbed) -> list[tuple[int, TextToEmbed]]:
        """Cut a text that the provider counts as too long, though we don't; nothing where it is too short for that."""
        limit = max(piece.tokens // 2, 1)
        if piece.tokens < self.cutter.limit >> MOST_CUTS or limit < 2:
            return []
        chunks = split(piece.text, limit, self.cutter.tokenizer)
        return [
            (chunk.start, self.space.piece(piece.text[chunk.start : chunk.end], chunk.tokens, piece.document_id))
            for chunk in chunks
        ]

    def call_of(self, pieces: Sequence[TextToEmbed]) -> Call:
        """Return the request for some pieces."""
        texts = tuple(piece.text for piece in pieces)
        exchanger, route = self.client.dispatcher.exchanger, self.client.route
        request = Embedding(route.id, texts, self.dimensions, self.base64, route.upstream)
        tokens = sum(piece.tokens for piece in pieces)
        asked = exchanger.wire.embedding(request)
        return build_call(exchanger.account, asked, prompt_tokens=tokens, max_tokens=0, inputs=len(pieces))

    def _found(self, progress: DocumentProgress, call: Call, pieces: Sequence[TextToEmbed]) -> EmbeddingReply | None:
        """Return what was kept of a request, if it can be read; it isn't paid for again."""
        kept = self.client.ledger.answer(call.call_id)
        if kept is None:
            return None
        try:
            vectors = self._checked(self.client.dispatcher.exchanger.read(kept.reply, call.inputs))
        except (CallFailed, RouteUnavailable):
            return None
        self.client.meter.found()
        self.client.dispatcher.notes.reused(call.call_id, progress.document_id)
        return self._came(call, vectors, pieces, self._cost(vectors, call), kept)

    async def _paid(self, progress: DocumentProgress, call: Call, pieces: Sequence[TextToEmbed]) -> EmbeddingReply:
        if call.call_id in progress.given_up:
            raise progress.given_up[call.call_id]
        note, came = partial(self._note, pieces), partial(self._note_texts, call, pieces)
        async with self.client.paying(progress, call, note, came) as payment:
            delivered = await payment.send()
        try:
            vectors = self._checked(delivered.answer)
        except RouteUnavailable:
            how = (delivered.attempts, delivered.latency_ms, datetime.now(UTC))
            self._put_down(call, pieces, self._usage(call, delivered.answer), how, "wrong_dimensions")
            raise
        reply = self._came(call, vectors, pieces, self._cost(vectors, call), delivered)
        self._paid_for.setdefault(progress.document_id, []).append(reply)
        return reply

    def settle(self, progress: DocumentProgress, *, used: bool) -> None:
        """End the accounts of some work; paid replies that weren't used are kept for the rows of their documents."""
        for came in self._paid_for.pop(progress.document_id, ()):
            if not used:
                self._leave_unused(came)

    def _leave_unused(self, came: EmbeddingReply) -> None:
        for document_id in came.shares:
            self.unused.setdefault(document_id, []).append(came)

    def _note(self, pieces: Sequence[TextToEmbed], exchange: Exchange) -> PaidUsage:
        """Return the usage of an exchange; an unusable one is recorded for its documents."""
        call, error = exchange.call, exchange.error
        usage = self._usage(call, exchange.paid)
        if error is not None:
            how = (exchange.attempts, exchange.latency_ms, datetime.now(UTC))
            self._put_down(call, pieces, usage, how, error.reason)
        return usage

    def _put_beside(self, progress: DocumentProgress, call: Call, pieces: Sequence[TextToEmbed]) -> None:
        """Put down what an earlier run paid for a request beside its kept answer."""
        if not progress.looks_beside(call.call_id):
            return
        for paid in self.client.ledger.paid_beside(call.call_id):
            if paid.tokens is not None:
                usage = PaidUsage(*paid.tokens, paid.cost)
                self._put_down(call, pieces, usage, (paid.attempts, paid.latency_ms, paid.created_at), paid.reason)
                self.client.meter.paid(*usage)

    def _put_down(
        self, call: Call, pieces: Sequence[TextToEmbed], usage: PaidUsage, how: tuple[int, int, datetime], reason: str
    ) -> None:
        shares = shared(pieces, usage.prompt_tokens, usage.cost)
        none = np.zeros((0, 0), dtype=np.float32)
        self._leave_unused(
            EmbeddingReply(call.call_id, self.client.route, none, shares, *how, mine=True, error_kind=reason)
        )

    def _usage(self, call: Call, paid: Paid | None) -> PaidUsage:
        if not isinstance(paid, Vectors):
            raise TypeError("an answer in place of vectors")
        return PaidUsage(_tokens(paid, call), 0, self._cost(paid, call))

    def _note_texts(self, call: Call, pieces: Sequence[TextToEmbed]) -> None:
        """Note where the texts of a request are that wasn't foreseen: a half, or another route's."""
        if call.call_id not in self.foreseen:
            places = [(piece.text_id, piece.document_id, place) for place, piece in enumerate(pieces)]
            self.client.ledger.placed(call.call_id, places)

    def _came(
        self,
        call: Call,
        vectors: Vectors,
        pieces: Sequence[TextToEmbed],
        cost: float | None,
        how: StoredAnswer | Delivered,
    ) -> EmbeddingReply:
        when = how.created_at if isinstance(how, StoredAnswer) else datetime.now(UTC)
        mine = not isinstance(how, StoredAnswer) or how.job_id == self.client.ledger.job_id
        shares = shared(pieces, _tokens(vectors, call), cost) if mine else {}
        return EmbeddingReply(
            call.call_id,
            self.client.route,
            vectors.vectors,
            shares,
            how.attempts,
            how.latency_ms,
            when,
            mine,
            None,
            vectors.bad,
        )

    def placed(self, call: str, places: Sequence[int]) -> EmbeddingReply | None:
        """Return the vectors at some rows (from 0) of a stored answer, if it can be read."""
        kept = self.client.ledger.answer(call)
        if kept is None:
            return None
        try:
            vectors = self._checked(self.client.dispatcher.exchanger.wire.vectors(kept.reply, None))
            if not vectors.bad.isdisjoint(places):
                return None
            some = vectors.vectors[list(places)]
        except (CallFailed, RouteUnavailable, IndexError):
            return None
        mine = kept.job_id == self.client.ledger.job_id
        return EmbeddingReply(call, self.client.route, some, {}, kept.attempts, kept.latency_ms, kept.created_at, mine)

    def _checked(self, paid: Paid) -> Vectors:
        """Return vectors of the dimensions that they all have. Raises RouteUnavailable where they have others."""
        if not isinstance(paid, Vectors):
            raise TypeError("an answer in place of vectors")
        wrong = self.space.wrong(paid.vectors.shape[1], self.client.route.label)
        if wrong is not None:
            self.client.dispatcher.lose(wrong)
            raise wrong
        return paid

    def _cost(self, paid: Vectors, call: Call) -> float | None:
        if paid.cost is not None:
            return paid.cost
        return self.client.route.price.cost(_tokens(paid, call), 0) if self.client.route.price else None


def _tokens(paid: Vectors, call: Call) -> int:
    """The tokens of a request, as the provider counts them, else as we do."""
    return call.prompt_tokens if paid.prompt_tokens is None else paid.prompt_tokens
