"""The part of a request's tokens and cost that each of its documents takes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tasks.calls.packing import TextToEmbed


class Share(NamedTuple):
    """Tokens and USD (None: not known) of one document; the request counts as a call of the `first` one."""

    tokens: int
    cost: float | None
    first: bool


def shared(pieces: Sequence[TextToEmbed], tokens: int, cost: float | None) -> Mapping[str, Share]:
    """Divide a request's tokens and cost among its documents by their pieces' tokens; the shares add up exactly."""
    counted: dict[str, int] = {}
    for piece in pieces:
        counted[piece.document_id] = counted.get(piece.document_id, 0) + piece.tokens
    total = max(sum(counted.values()), 1)
    shares: dict[str, Share] = {}
    before = given = 0
    for document_id, own in counted.items():
        before += own
        share = round(tokens * before / total) - given
        given += share
        shares[document_id] = Share(share, None if cost is None else cost * own / total, not shares)
    return shares
