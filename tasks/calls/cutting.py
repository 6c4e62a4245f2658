"""Cut a document's text to the window of one route."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from tasks.base.errors import DocumentFailed
from tasks.calls.token_calibration import OURS, TokenMeasure
from tasks.chunking.chat_template import TEMPLATES
from tasks.chunking.outline import Outline
from tasks.chunking.splitter import Chunk, split
from tasks.chunking.tokenizer import Tokenizer
from tasks.documents.document import Content
from tasks.models.route import Route
from tasks.prompting.templates import SCHEMA, Prompts, fill, guarded

# Tokens that putting a text between two others may add at its seams.
SEAM = 4
LEAST_ROOM = 16
# What is said about an answer that isn't valid.
REPAIR_TOKENS = 600
# A chunk whose answer is about as long gets this share of the largest answer: other languages take more tokens.
KEPT_LENGTH = 0.75
Check = Callable[[], object]


class Cutting(Protocol):
    """The properties of a strategy that decide how texts are cut for it (tasks/strategies/strategy.py)."""

    name: str
    chunk_stage: str
    cuts: bool
    keeps_length: bool


def unwatched() -> None:
    """Never stop the work."""


def watched(chunks: Iterable[Chunk], check: Check) -> Iterator[Chunk]:
    """Yield the chunks, and let `check` raise before each: a text of 100 MB is cut for a minute."""
    for chunk in chunks:
        check()
        yield chunk


@dataclass(frozen=True, slots=True)
class Cut:
    """A text cut for one route; where it fits as a whole (`is_whole`), it is one chunk.

    `is_bound`: that chunk's tokens are a bound, not counted.
    """

    text: str
    chunks: tuple[Chunk, ...]
    measure: TokenMeasure = OURS
    is_whole: bool = False
    is_bound: bool = False

    def passage(self, chunk: Chunk) -> str:
        """Return what a prompt holds of the text for a chunk: under its headings, if it has any."""
        return chunk.heading + self.text[chunk.start : chunk.end]


@dataclass(frozen=True, slots=True)
class Cutter:
    """Knows how much text a call of a route has room for.

    `fields` are what templates hold beside the text: a schema, a document's columns. `reduces`
    says whether the answers over chunks are merged by calls. If not `exact`, a text that surely fits isn't counted.
    """

    route: Route
    tokenizer: Tokenizer
    prompts: Prompts
    strategy: Cutting
    measure: TokenMeasure = OURS
    fields: Mapping[str, str] = field(default_factory=dict)
    reduces: bool = True
    exact: bool = True
    _counted: dict[str, int] = field(default_factory=dict)

    def measured(self, measure: TokenMeasure) -> "Cutter":
        """Return the cutter that uses this measure of how the route counts."""
        return self if measure == self.measure else replace(self, measure=measure)

    def about(self, fields: Mapping[str, str]) -> "Cutter":
        """Return the cutter for a document with fields of its own."""
        return replace(self, fields={**self.fields, **fields}, _counted={}) if fields else self

    def guarded(self, template: str, *texts: str) -> str:
        """Return a template with marks that neither the texts nor the fields close."""
        return guarded(template, *self.fields.values(), *texts)

    def tokens(self, template: str) -> int:
        """Return the tokens of a template with its fields, counted once."""
        if template not in self._counted:
            self._counted[template] = self.tokenizer.count(fill(template, **self.fields))
        return self._counted[template]

    def room(self, template: str) -> int:
        """Return the tokens that one call has for text in `template`, beside its answer."""
        overhead = TEMPLATES[self.route.template].overhead(1) + self.tokens(template) + SEAM
        return self.measure.most(self.route.window.room(0)) - overhead

    def whole_room(self, text: str) -> int:
        """Return the tokens of a text that is asked over at once."""
        return int(min(self.room(self.guarded(self.prompts.stuff, text)), self._kept()))

    def chunk_room(self, text: str) -> int:
        """Return the tokens of a chunk of a long text: it leaves room to continue or repair its answer."""
        template: str = getattr(self.prompts, self.strategy.chunk_stage)
        room = self.room(self.guarded(template, text))
        said = REPAIR_TOKENS if SCHEMA in self.fields else self.tokens(self.prompts.continue_prompt)
        spare = self.route.window.max_answer + said + 32
        # Where the window is so small that the spare would take half of it, do without.
        return int(min(room - spare if room > 2 * spare else room, self._kept()))

    def _kept(self) -> float:
        """Return the tokens of a text whose answer is about as long, or infinity where it needn't be."""
        return KEPT_LENGTH * self.route.window.max_answer if self.strategy.keeps_length else math.inf

    def cut(self, content: Content, check: Check = unwatched) -> Cut:
        """Cut a text to the route's window; this is tokenizer work, so call it off the event loop.

        `check` is called at each chunk: what it raises ends the work. Raises DocumentFailed
        with reason `too_long` or `does_not_fit`.
        """
        text = content.text
        whole = self.whole_room(text)
        if not self.exact and (bound := self.tokenizer.bound(text)) <= whole:
            return Cut(text, (Chunk(0, len(text), bound),), self.measure, is_whole=True, is_bound=True)
        # The first chunk shows whether the text fits, without counting a long one to its end.
        first = next(split(text, whole, self.tokenizer), Chunk(0, 0, 0))
        if first.end == len(text):
            return Cut(text, (first,), self.measure, is_whole=True)
        if not self.strategy.cuts:
            message = f"the document doesn't fit in one call ({whole} tokens of text): use --strategy map-reduce"
            raise DocumentFailed("too_long", message, stage="map")
        room = self.chunk_room(text)
        if room < LEAST_ROOM:
            message = "the prompt and the answer leave no room for text in the window"
            raise DocumentFailed("does_not_fit", message, stage="map")
        outline = Outline(content.sections, code=content.code, headings=not self.strategy.keeps_length)
        chunks = watched(split(text, room, self.tokenizer, outline=outline), check)
        return Cut(text, tuple(chunks), self.measure)
