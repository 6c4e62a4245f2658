"""Cut a document's text to the window of one route."""

from dataclasses import dataclass, field

from tasks.chunking.split import Chunk, split
from tasks.chunking.template import TEMPLATES
from tasks.chunking.tokenizer import Tokenizer
from tasks.errors import DocumentFailed
from tasks.jobs.prompts import Prompts
from tasks.routing.route import Route

# Tokens that putting a text between two others may add at its seams.
SEAM = 4
LEAST_ROOM = 16


@dataclass(frozen=True, slots=True)
class Cut:
    """A text cut for one route: one chunk where it fits as a whole; `strategy` is how it becomes one answer."""

    text: str
    chunks: tuple[Chunk, ...]
    strategy: str


@dataclass(frozen=True, slots=True)
class Cutter:
    """Knows how much text a call of a route has room for."""

    route: Route
    tokenizer: Tokenizer
    prompts: Prompts
    strategy: str
    _counted: dict[str, int] = field(default_factory=dict)

    def tokens(self, template: str) -> int:
        """Return the tokens of a template, counted once."""
        if template not in self._counted:
            self._counted[template] = self.tokenizer.count(template)
        return self._counted[template]

    def room(self, template: str) -> int:
        """Return the tokens that one call has for text in `template`, beside its answer."""
        overhead = TEMPLATES[self.route.template].overhead(1) + self.tokens(template) + SEAM
        return self.route.window.room(overhead)

    def chunk_room(self) -> int:
        """Return the tokens of a chunk of a long text: it leaves room to continue a cut-off answer."""
        room = self.room(self.prompts.refine if self.strategy == "refine" else self.prompts.map)
        spare = self.route.window.max_answer + self.tokens(self.prompts.go_on) + 32
        # Where the window is so small that the spare would take half of it, do without.
        return room - spare if room > 2 * spare else room

    def cut(self, text: str) -> Cut:
        """Cut a text to the route's window; this is tokenizer work, so call it off the event loop.

        Raises DocumentFailed with reason `too_long` or `does_not_fit`.
        """
        whole = self.room(self.prompts.map)
        # The first chunk tells it without counting a long text to its end.
        first = next(split(text, whole, self.tokenizer), Chunk(0, 0, 0))
        if first.end == len(text):
            return Cut(text, (first,), "stuff")
        if self.strategy == "stuff":
            message = f"the document doesn't fit in one call ({whole} tokens of text): use --strategy map-reduce"
            raise DocumentFailed("too_long", message, stage="map")
        room = self.chunk_room()
        if room < LEAST_ROOM:
            message = "the prompt and the answer leave no room for text in the window"
            raise DocumentFailed("does_not_fit", message, stage="map")
        strategy = "refine" if self.strategy == "refine" else "map-reduce"
        return Cut(text, tuple(split(text, room, self.tokenizer)), strategy)
