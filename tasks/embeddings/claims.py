"""Which texts of a shard have to be embedded, and where the vectors of the others are: equal texts are embedded once.

A text belongs to the first document that has it, in the order of the documents. That
is recorded before it is asked for, and shards claim their texts one after another: so a job that
was killed packs the same texts into the same requests again, and finds their answers.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tasks.calls.packing import TextToEmbed, pack
from tasks.embeddings.embedder import Embedder, VectorSlice
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Owned

Leaves = list[VectorSlice]


class Claim(NamedTuple):
    """The texts of a shard: requests to send, in order (`mine`), texts `awaited` from another shard, and those `found`.

    `begun` are those of its own texts that an earlier run of the job had claimed; texts
    `abroad` are asked for by other workers.
    """

    mine: Sequence[Sequence[TextToEmbed]]
    begun: Mapping[str, Owned]
    awaited: Mapping[str, "asyncio.Future[Leaves]"]
    found: Mapping[str, Leaves]
    abroad: Sequence[TextToEmbed] = ()


@dataclass(slots=True)
class Claims:
    """All claims of a job in this process; `shared`: other processes work on the job, too.

    `foreseen` are the calls whose texts the ledger holds before they are sent.
    """

    ledger: Ledger
    foreseen: set[str] = field(default_factory=set)
    pending: dict[str, "asyncio.Future[Leaves]"] = field(default_factory=dict)
    shared: bool = False

    async def claim(self, pieces: Iterable[TextToEmbed], embedder: Embedder) -> Claim:
        """Claim a shard's texts, of its documents in their order; one shard at a time."""
        first: dict[str, TextToEmbed] = {}
        for piece in pieces:
            first.setdefault(piece.text_id, piece)
        awaited = {text_id: self.pending[text_id] for text_id in first if text_id in self.pending}
        known = await asyncio.to_thread(self.ledger.texts, [text_id for text_id in first if text_id not in awaited])
        documents = {piece.document_id for piece in first.values()}
        others = {text_id: owned for text_id, owned in known.items() if not self._is_mine(owned, documents)}
        found = self.found(others, {text_id: first[text_id] for text_id in others}, embedder)
        abroad = [text_id for text_id in others if text_id not in found] if self.shared else []
        theirs = {text_id for text_id in abroad if known[text_id].job_id == self.ledger.job_id}
        elsewhere = {*awaited, *found, *theirs}
        mine = [piece for text_id, piece in first.items() if text_id not in elsewhere]
        begun = {piece.text_id: known[piece.text_id] for piece in mine if self._is_owned(piece, known)}
        groups = list(pack(mine, embedder.packing))
        await asyncio.to_thread(self._own, groups, begun, embedder)
        loop = asyncio.get_running_loop()
        self.pending |= {piece.text_id: loop.create_future() for piece in mine}
        return Claim(groups, begun, awaited, found, [first[text_id] for text_id in theirs])

    async def look(self, pieces: Sequence[TextToEmbed], embedder: Embedder) -> dict[str, Leaves]:
        """Return the leaves of those texts whose vectors other workers have received meanwhile."""
        known = await asyncio.to_thread(self.ledger.texts, [piece.text_id for piece in pieces])
        return self.found(known, {piece.text_id: piece for piece in pieces}, embedder)

    def _own(self, groups: Iterable[Sequence[TextToEmbed]], begun: Mapping[str, Owned], embedder: Embedder) -> None:
        """Record the texts that weren't claimed before, with the requests they are to be in. Not on the event loop."""
        new: list[tuple[str, str, str, int]] = []
        for group in groups:
            call_id = embedder.call_of(group).call_id
            claimed = {piece.text_id for piece in group if piece.text_id in begun}
            if all(begun[text_id].call_id == call_id for text_id in claimed):
                self.foreseen.add(call_id)
            new += [
                (piece.text_id, piece.document_id, call_id, place)
                for place, piece in enumerate(group)
                if piece.text_id not in claimed
            ]
        if new:
            self.ledger.own(new)

    def found(
        self, known: Mapping[str, Owned], pieces: Mapping[str, TextToEmbed], embedder: Embedder
    ) -> dict[str, Leaves]:
        """Return the leaves of texts whose vectors are in kept answers. On the event loop."""
        by_call: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for text_id, owned in known.items():
            if owned.call_id is not None and owned.row is not None:
                by_call[owned.call_id].append((text_id, owned.row))
        leaves: dict[str, Leaves] = {}
        for call_id, texts in by_call.items():
            if self.shared:
                self.ledger.suspect(call_id)
            came = embedder.placed(call_id, [place for _, place in texts])
            for number, (text_id, _) in enumerate(texts if came else ()):
                piece = pieces[text_id]
                leaves[text_id] = [VectorSlice(0, len(piece.text), piece.tokens, came, number)]
        return leaves

    def settle(self, found: Mapping[str, Leaves]) -> None:
        """Hand vectors to all shards that wait for their texts."""
        for text_id, leaves in found.items():
            future = self.pending.get(text_id)
            if future is not None and not future.done():
                future.set_result(leaves)

    def release(self, pieces: Iterable[TextToEmbed]) -> None:
        """Drop a shard's texts, which are in the ledger now; cancel the futures of those that have no vector."""
        for piece in pieces:
            future = self.pending.pop(piece.text_id, None)
            if future is not None and not future.done():
                future.cancel()

    def _is_mine(self, owned: Owned, documents: set[str]) -> bool:
        return owned.job_id == self.ledger.job_id and owned.document_id in documents

    def _is_owned(self, piece: TextToEmbed, known: Mapping[str, Owned]) -> bool:
        owned = known.get(piece.text_id)
        return owned is not None and (owned.job_id, owned.document_id) == (self.ledger.job_id, piece.document_id)
