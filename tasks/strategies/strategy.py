"""The interface of a strategy, which turns the calls over a document's chunks into one answer."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tasks.base.errors import DocumentFailed, Overflow
from tasks.calls.cutting import Cut, Cutter
from tasks.calls.estimate import Expected
from tasks.calls.rows import Outcome
from tasks.chunking.chat_template import MARGIN, TEMPLATES
from tasks.prompting.conversation import Text


@dataclass(frozen=True, slots=True)
class SizedAnswer:
    """An answer that is to be merged, and the tokens it takes with its seam."""

    answer: Text
    tokens: int


class Ask(Protocol):
    """Asks over one document that was cut, at one route.

    An answer is None where its call was set aside; Overflow is raised where the text may be cut
    again, RouteUnavailable and JobPaused as they come.
    """

    @property
    def cut(self) -> Cut:
        """The text and its chunks."""
        ...

    def chunk(self, number: int) -> Awaitable[Text | None]:
        """Ask over one chunk."""
        ...

    def refined(self, number: int, answer: SizedAnswer) -> Awaitable[Text | None]:
        """Ask to rewrite the answer so far with one more chunk. Raises DocumentFailed if both don't fit together."""
        ...

    def merged(self, level: int, number: int, group: Sequence[SizedAnswer], *, last: bool) -> Awaitable[Text | None]:
        """Ask to merge a group of answers into one; `last`: it is the document's answer."""
        ...

    async def sized(self, answers: Sequence[Text]) -> list[SizedAnswer]:
        """Count the tokens of answers."""
        ...

    def room_to_merge(self, answers: Sequence[Text]) -> int:
        """Return the tokens that one call has for answers to merge."""
        ...

    def joined(self, answers: Sequence[Text]) -> Text | None:
        """Return one answer made of several without a call, where the form has a rule for that."""
        ...

    def overflowed(self, error: Overflow) -> None:
        """Learn that a route counts more tokens than was thought, for the calls that follow."""
        ...

    def last_failure(self) -> DocumentFailed:
        """Return why a document has no answer: the last of its calls that was set aside."""
        ...


class Strategy(Protocol):
    """How one text becomes one answer; it keeps nothing of a document.

    `chunk_stage` is the template that a chunk has to fit in, at its longest; `more_stages` are those that it needs
    beside `stuff` and `map` where the answers over chunks are merged by calls. A strategy that `keeps_length` has
    answers about as long as their chunks. Without `cuts` a text has to fit in one call.
    """

    name: str
    chunk_stage: str
    more_stages: tuple[str, ...]
    cuts: bool
    keeps_length: bool

    async def run(self, ask: Ask) -> Outcome:
        """Return the answer over a text of at least one chunk. Raises DocumentFailed, and as `ask` does."""
        ...

    def estimate(self, cutter: Cutter, chunks: int, tokens: int, answer: int | None) -> Expected:
        """Return what so many chunks with so many tokens together come to.

        Answers are of `answer` tokens, or with None as long as their chunks.
        """
        ...


def covered(cut: Cut, answers: Sequence[Text | None]) -> int:
    """Return how many characters of a text stand in chunks that were answered."""
    return sum(chunk.end - chunk.start for chunk, one in zip(cut.chunks, answers, strict=True) if one is not None)


async def all_of(asks: Iterable[Awaitable[Text | None]]) -> list[Text | None]:
    """Run all; where the route or the job stops, the others end before that is raised.

    Prompts are made one by one, and others run between: all those of a long document would hold up the event loop.
    """
    begun = list[asyncio.Future[Text | None]]()
    try:
        for ask in asks:
            begun.append(asyncio.ensure_future(ask))
            await asyncio.sleep(0)
    except BaseException:
        for one in begun:
            one.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        raise
    results = await asyncio.gather(*begun, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


def tokens_around(cutter: Cutter) -> int:
    """Return the tokens that a chat template adds to a prompt."""
    return TEMPLATES[cutter.route.template].overhead(1) - MARGIN


def of_chunks_alone(cutter: Cutter, chunks: int, tokens: int, answer: int | None) -> Expected:
    """Return what one call over each chunk comes to."""
    template = cutter.prompts.stuff if chunks == 1 else cutter.prompts.map
    prompt = tokens + chunks * (cutter.tokens(template) + tokens_around(cutter))
    return Expected(chunks, chunks, prompt, tokens if answer is None else chunks * answer)
