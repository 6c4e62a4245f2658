"""A document that was read and cut, and the stretches of its text that were embedded."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tasks.calls.packing import TextToEmbed
from tasks.chunking.splitter import Chunk
from tasks.documents.document import Content, Document
from tasks.embeddings.embedder import VectorSlice


class EmbeddedDocument(NamedTuple):
    """A document that was read: its text and chunks, and whether its rows are written already."""

    document: Document
    content: Content
    sha256: str
    chunks: tuple[Chunk, ...]
    pieces: tuple[TextToEmbed, ...]
    written: bool


class Stretch(NamedTuple):
    """A stretch of a document's text, in characters, its tokens, and its vector: where it came, or why it failed."""

    start: int
    end: int
    leaf: VectorSlice


def stretches(item: EmbeddedDocument, leaves: Mapping[str, Sequence[VectorSlice]]) -> list[Stretch]:
    """Return the stretches of a document in their order, by the leaves of those of its texts that have come."""
    return [
        Stretch(chunk.start + leaf.start, chunk.start + leaf.end, leaf)
        for chunk, piece in zip(item.chunks, item.pieces, strict=True)
        for leaf in leaves.get(piece.text_id, ())
    ]
