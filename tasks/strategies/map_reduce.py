"""Ask over each chunk, then over groups of answers, each group filled to the window in the order of the text.

Level by level until one is left: the tree of "Recursively Summarizing Books with Human Feedback" (Wu et al.,
2021). Every level has fewer answers than the one below, or it ends: there is no endless loop.
"""

import math
from collections.abc import Iterator, Sequence

from tasks.base.errors import DocumentFailed, Overflow
from tasks.calls.cutting import SEAM, Cutter
from tasks.calls.estimate import Expected
from tasks.calls.rows import Outcome
from tasks.prompting.conversation import Text
from tasks.strategies.strategy import Ask, SizedAnswer, all_of, covered, of_chunks_alone, tokens_around


class MapReduce:
    """A call over each chunk, side by side, and calls that merge their answers; `name` may be `auto` too."""

    chunk_stage = "map"
    more_stages: tuple[str, ...] = ("reduce",)
    cuts = True
    keeps_length = False

    def __init__(self, name: str = "map-reduce") -> None:
        self.name = name

    async def run(self, ask: Ask) -> Outcome:
        """Ask over all chunks; those that fail are left out."""
        count = len(ask.cut.chunks)
        answers = [await ask.chunk(0)] if count == 1 else await all_of(map(ask.chunk, range(count)))
        answered = [answer for answer in answers if answer is not None]
        if not answered:
            raise ask.last_failure()
        last = (answered[0] if len(answers) == 1 else ask.joined(answered)) or await _reduced(ask, answered)
        return Outcome(last.text, covered(ask.cut, answers), last.cut, last.labels)

    def estimate(self, cutter: Cutter, chunks: int, tokens: int, answer: int | None) -> Expected:
        """Return what the chunks come to, and the levels above them."""
        expected = of_chunks_alone(cutter, chunks, tokens, answer)
        length = answer or 0
        group = max(2, cutter.room(cutter.prompts.reduce) // (length + SEAM))
        calls, prompt, waiting = chunks, expected.prompt_tokens, chunks
        while waiting > 1 and cutter.reduces:
            merged = math.ceil(waiting / group)
            # A group of one goes up as it is.
            asked = merged - (waiting % group == 1)
            prompt += waiting * (length + 1) + asked * (cutter.tokens(cutter.prompts.reduce) + tokens_around(cutter))
            calls, waiting = calls + asked, merged
        return Expected(chunks, calls, prompt, expected.completion_tokens + (calls - chunks) * length)


async def _reduced(ask: Ask, answers: Sequence[Text]) -> Text:
    """Merge answers level by level until one is left."""
    level = 0
    while len(answers) > 1:
        level += 1
        try:
            answers = await _level(ask, level, answers)
        except Overflow as error:
            # The answers are grouped anew; the chunks under them were answered and paid for.
            ask.overflowed(error)
            level -= 1
    return answers[0]


async def _level(ask: Ask, level: int, answers: Sequence[Text]) -> Sequence[Text]:
    """Merge answers into fewer. Raises DocumentFailed where no two of them fit in one call."""
    groups = list(fill_groups(await ask.sized(answers), ask.room_to_merge(answers)))
    if len(groups) == len(answers):
        message = (
            f"{len(answers)} answers can't be merged: no two of them fit in one call: "
            "give a smaller --max-output-tokens, or a model with a larger window"
        )
        raise DocumentFailed("cannot_reduce", message, stage="reduce")
    merged = await all_of(
        ask.merged(level, number, group, last=len(groups) == 1) for number, group in enumerate(groups)
    )
    if any(text is None for text in merged):
        raise ask.last_failure()
    return [text for text in merged if text is not None]


def fill_groups(parts: Sequence[SizedAnswer], room: int) -> Iterator[list[SizedAnswer]]:
    """Yield groups of neighbours, each as large as `room` tokens allow (one at the least)."""
    group: list[SizedAnswer] = []
    used = 0
    for part in parts:
        if group and used + part.tokens > room:
            yield group
            group, used = [], 0
        group.append(part)
        used += part.tokens
    if group:
        yield group
