"""Texts to embed, packed into requests in their order, as many as a provider's limits allow."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

# The most special tokens that a model puts around a text.
SPECIAL_TOKENS = 2
# The most characters of a request, whatever its other limits, to save memory.
CHARACTERS_A_REQUEST = 8_000_000


class TextToEmbed(NamedTuple):
    """A text to embed, the identity of its vector, its tokens, and the document that it is asked for."""

    text_id: str
    text: str
    tokens: int
    document_id: str


@dataclass(frozen=True, slots=True)
class Packing:
    """The most of one request: inputs, and tokens of them all together (None: not limited)."""

    inputs: int
    tokens: int | None = None


def pack(pieces: Iterable[TextToEmbed], packing: Packing) -> Iterator[list[TextToEmbed]]:
    """Yield groups of neighbours, each as large as one request may be; a piece too large for any is alone."""
    most = packing.tokens or math.inf
    group: list[TextToEmbed] = []
    tokens = characters = 0
    for piece in pieces:
        needed = piece.tokens + SPECIAL_TOKENS
        full = len(group) == packing.inputs or tokens + needed > most
        if group and (full or characters + len(piece.text) > CHARACTERS_A_REQUEST):
            yield group
            group, tokens, characters = [], 0, 0
        group.append(piece)
        tokens += needed
        characters += len(piece.text)
    if group:
        yield group
