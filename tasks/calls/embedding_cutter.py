"""Cut a document's text into the chunks that are embedded."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.base.errors import UserMistake
from tasks.calls.cutting import LEAST_ROOM, Check, Cut, unwatched, watched
from tasks.calls.packing import SPECIAL_TOKENS
from tasks.chunking.outline import Outline
from tasks.chunking.splitter import Chunk, split
from tasks.chunking.tokenizer import Tokenizer
from tasks.documents.document import Content
from tasks.models.route import Route
from tasks.prompting.options import EmbedOptions


@dataclass(frozen=True, slots=True)
class EmbedCutter:
    """Cuts texts into chunks of at most `limit` tokens, each with up to `overlap` of the one before."""

    tokenizer: Tokenizer
    limit: int
    overlap: int

    def about(self, fields: Mapping[str, str]) -> "EmbedCutter":  # noqa: ARG002 - a prompt's, and here is none
        """Return the same."""
        return self

    def cut(self, content: Content, check: Check = unwatched) -> Cut:
        """Cut a text, as long as `check` raises nothing.

        Not on the event loop. Raises DocumentFailed with reason `does_not_fit`.
        """
        return Cut(content.text, self.chunks(content, check))

    def chunks(self, content: Content, check: Check = unwatched) -> tuple[Chunk, ...]:
        """Return the chunks of a text; those of blank space alone hold nothing to embed. Raises as `cut` does."""
        text = content.text
        if len(text) <= self.limit:  # few enough that counting tells more quickly than cutting
            tokens = self.tokenizer.count(text)
            if tokens <= self.limit:
                return (Chunk(0, len(text), tokens),)
        outline = Outline(content.sections, code=content.code, headings=False)
        chunks = watched(split(text, self.limit, self.tokenizer, self.overlap, outline), check)
        return tuple(chunk for chunk in chunks if not text[chunk.start : chunk.end].isspace())


def embed_cutter(route: Route, tokenizer: Tokenizer, options: EmbedOptions) -> EmbedCutter:
    """Return what cuts for a route. Raises UserMistake for chunks without room for text, or that overlap too far."""
    limit = min(options.chunk_tokens, route.window.context - SPECIAL_TOKENS)
    if limit < LEAST_ROOM:
        raise UserMistake(
            f"--chunk-tokens {options.chunk_tokens}: give {LEAST_ROOM} or more, within {route.label}'s window"
        )
    if options.overlap > limit // 2:
        raise UserMistake(f"--overlap {options.overlap}: give at most half of a chunk's {limit} tokens")
    return EmbedCutter(tokenizer, limit, options.overlap)
