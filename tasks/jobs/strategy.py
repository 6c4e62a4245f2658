"""How one text becomes one answer: at once, by map and reduce, or by refining.

Map-reduce asks over each chunk, then over groups of answers, each group filled to
the window in the order of the text, level by level until one is left (the tree of
"Recursively Summarizing Books with Human Feedback", Wu et al., 2021). Every level
has fewer answers than the one below, or it ends: there is no endless loop.
"""

import asyncio
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass

from tasks.errors import DocumentFailed, SetAside
from tasks.jobs.ask import Asker, Prompt, Text
from tasks.jobs.cut import SEAM, Cut, Cutter
from tasks.jobs.prompts import Prompts, fill
from tasks.jobs.rows import Outcome, Place, Work

BETWEEN = "\n\n"


@dataclass(frozen=True, slots=True)
class Part:
    """An answer that is to be merged, and the tokens it takes with its seam."""

    answer: Text
    tokens: int


@dataclass(frozen=True, slots=True)
class Strategist:
    """Answers texts at one route."""

    asker: Asker
    cutter: Cutter

    @property
    def prompts(self) -> Prompts:
        """The job's templates."""
        return self.cutter.prompts

    async def answer(self, work: Work, cut: Cut) -> Outcome:
        """Return the one answer over a text that was cut.

        Raises DocumentFailed where no chunk was answered or the answers can't be
        merged; RouteLost and JobStopped as they come.
        """
        if cut.strategy == "refine":
            return await self._refine(work, cut)
        parts = await self._all(self._map(work, cut, number) for number in range(len(cut.chunks)))
        answered = [(chunk, part) for chunk, part in zip(cut.chunks, parts, strict=True) if part is not None]
        if not answered:
            raise DocumentFailed(*_last_failure(work))
        covered = sum(chunk.end - chunk.start for chunk, _ in answered)
        last = await self._reduce(work, [part for _, part in answered])
        return Outcome(last.text, covered, last.cut)

    async def _map(self, work: Work, cut: Cut, number: int) -> Text | None:
        """Ask over one chunk; None where that call failed for good."""
        chunk = cut.chunks[number]
        place = Place("map", 0, number, chunk.start, chunk.end)
        text = cut.text[chunk.start : chunk.end]
        return await self._asked(work, place, self.prompts.map, chunk.tokens, text=text)

    async def _reduce(self, work: Work, parts: Sequence[Text]) -> Text:
        """Merge answers level by level until one is left."""
        level = 0
        while len(parts) > 1:
            level += 1
            sized = await self._sized(parts)
            groups = list(fill_groups(sized, self.cutter.room(self.prompts.reduce)))
            if len(groups) == len(parts):
                message = (
                    f"{len(parts)} answers can't be merged: no two of them fit in one call: "
                    "give a smaller --max-output-tokens, or a model with a larger window"
                )
                raise DocumentFailed("cannot_reduce", message, stage="reduce")
            merged = await self._all(self._merge(work, level, number, group) for number, group in enumerate(groups))
            if any(text is None for text in merged):
                raise DocumentFailed(*_last_failure(work))
            parts = [text for text in merged if text is not None]
        return parts[0]

    async def _sized(self, parts: Sequence[Text]) -> list[Part]:
        """Count answers' tokens off the event loop."""
        count = self.asker.tokenizer.count
        return await asyncio.to_thread(lambda: [Part(part, count(part.text) + SEAM) for part in parts])

    async def _merge(self, work: Work, level: int, number: int, group: Sequence[Part]) -> Text | None:
        """Ask over one group of answers; a group of one goes up as it is."""
        if len(group) == 1:
            return group[0].answer
        joined = BETWEEN.join(part.answer.text for part in group)
        tokens = sum(part.tokens for part in group)
        return await self._asked(work, Place("reduce", level, number), self.prompts.reduce, tokens, text=joined)

    async def _refine(self, work: Work, cut: Cut) -> Outcome:
        """Carry one answer through the chunks, in order; a chunk that fails is left out."""
        answer: Text | None = None
        covered = 0
        for number, chunk in enumerate(cut.chunks):
            if answer is None:
                got = await self._map(work, cut, number)
            else:
                (sized,) = await self._sized([answer])
                tokens = chunk.tokens + sized.tokens
                if tokens > self.cutter.room(self.prompts.refine):
                    message = "the answer so far leaves no room for the next part: use --strategy map-reduce"
                    raise DocumentFailed("cannot_refine", message, stage="refine")
                place, text = Place("refine", 0, number, chunk.start, chunk.end), cut.text[chunk.start : chunk.end]
                got = await self._asked(work, place, self.prompts.refine, tokens, answer=answer.text, text=text)
            if got is not None:
                answer, covered = got, covered + chunk.end - chunk.start
        if answer is None:
            raise DocumentFailed(*_last_failure(work))
        return Outcome(answer.text, covered, answer.cut)

    async def _asked(self, work: Work, place: Place, template: str, tokens: int, **fields: str) -> Text | None:
        """Ask with the template filled (`tokens` are the fields'); None where the call was set aside."""
        prompt = Prompt(fill(template, **fields), self.cutter.tokens(template) + tokens + SEAM)
        try:
            return await self.asker.ask(work, place, prompt)
        except SetAside:
            return None

    async def _all(self, asks: Iterator[Awaitable[Text | None]]) -> list[Text | None]:
        """Run all; where the route or the job stops, the others end before that is raised."""
        every = list(asks)
        if len(every) == 1:
            return [await every[0]]
        results = await asyncio.gather(*every, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result for result in results if not isinstance(result, BaseException)]


def fill_groups(parts: Sequence[Part], room: int) -> Iterator[list[Part]]:
    """Yield groups of neighbours, each as large as `room` tokens allow (one at the least)."""
    group: list[Part] = []
    used = 0
    for part in parts:
        if group and used + part.tokens > room:
            yield group
            group, used = [], 0
        group.append(part)
        used += part.tokens
    if group:
        yield group


def _last_failure(work: Work) -> tuple[str, str]:
    row = work.failures[-1]
    return str(row["error_kind"]), str(row["error"])
