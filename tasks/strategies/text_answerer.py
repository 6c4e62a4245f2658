"""How one text becomes one answer: at once, by map and reduce, or by refining.

Map-reduce asks over each chunk, then over groups of answers, each group filled to
the window in the order of the text, level by level until one is left (the tree of
"Recursively Summarizing Books with Human Feedback", Wu et al., 2021). Every level
has fewer answers than the one below, or it ends: there is no endless loop.
"""

import asyncio
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.base.errors import CallRejected, DocumentFailed, Overflow
from tasks.calls.asker import Asker
from tasks.calls.cutting import SEAM, Cut, Cutter
from tasks.calls.rows import INVALID, CallPosition, DocumentProgress, Outcome
from tasks.calls.token_calibration import TokenCalibration, TokenMeasure
from tasks.chunking.splitter import Chunk
from tasks.dispatch.dispatcher import Dispatcher
from tasks.documents.document import Content
from tasks.models.route import Route
from tasks.prompting.answer_form import Form
from tasks.prompting.answer_parser import Invalid
from tasks.prompting.conversation import Prompt, Text
from tasks.prompting.templates import Prompts, fill, stop_of
from tasks.strategies.repair import checked

BETWEEN = "\n\n"


@dataclass(frozen=True, slots=True)
class SizedAnswer:
    """An answer that is to be merged, and the tokens it takes with its seam."""

    answer: Text
    tokens: int


@dataclass(frozen=True, slots=True)
class Strategist:
    """Answers texts at one route; with a `form` every answer is JSON that follows it."""

    asker: Asker
    cutter: Cutter
    form: Form | None = None

    @property
    def route(self) -> Route:
        """The route that is asked."""
        return self.asker.route

    @property
    def dispatcher(self) -> Dispatcher:
        """What sends the calls there."""
        return self.asker.dispatcher

    @property
    def prompts(self) -> Prompts:
        """The job's templates for the route's model."""
        return self.cutter.prompts

    @property
    def measures(self) -> TokenCalibration:
        """What was learned of how the route counts."""
        return self.asker.measures

    def about(self, fields: Mapping[str, str]) -> "Strategist":
        """Return the strategist for a document with fields of its own in the prompt."""
        return replace(self, cutter=self.cutter.about(fields)) if fields else self

    def cut(self, content: Content, above: TokenMeasure | None = None) -> Cut:
        """Cut a text by what was learned of the route, as it was cut before where that was paid for.

        What was learned up to `above` proved too little for it. Call it off the event
        loop. Raises DocumentFailed as `Cutter.cut` does, and JobStopped once the job is stopped.
        """
        known = self.measures.all
        candidates = known if above is None else known[known.index(above) + 1 :]
        for measure in candidates[:-1]:
            cut = self.cutter.measured(measure).cut(content, self.asker.payer.check)
            if self.asker.has_asked(self._map_prompt(cut, cut.chunks[0])):
                return cut
        return self.cutter.measured(candidates[-1]).cut(content, self.asker.payer.check)

    def has_begun(self, content: Content) -> bool:
        """Whether the first call over a text was probably paid for here. Not on the event loop."""
        cut = self.cut(content)
        return self.asker.has_asked(self._map_prompt(cut, cut.chunks[0]))

    async def answer(self, work: DocumentProgress, cut: Cut) -> Outcome:
        """Return the one answer over a text that was cut.

        Raises DocumentFailed where no chunk was answered, or the answers can't be
        merged into a valid one; RouteLost and JobStopped as they come.
        """
        if cut.strategy == "refine":
            return await self._refine(work, cut)
        parts = await self._all(self._map(work, cut, number) for number in range(len(cut.chunks)))
        answered = [(chunk, part) for chunk, part in zip(cut.chunks, parts, strict=True) if part is not None]
        if not answered:
            raise DocumentFailed(*_last_failure(work))
        covered = sum(chunk.end - chunk.start for chunk, _ in answered)
        last = await self._merged(work, cut, [part for _, part in answered])
        return Outcome(self._whole(work, cut, last.text), covered, last.cut)

    async def _merged(self, work: DocumentProgress, cut: Cut, parts: Sequence[Text]) -> Text:
        """Make one answer of those over the chunks: by the form's rule, or by calls."""
        if self.form is None or self.form.asks_to_merge:
            return await self._reduce(work, cut, parts)
        return parts[0] if len(cut.chunks) == 1 else Text(self.form.joined([part.text for part in parts]), cut=False)

    def _whole(self, work: DocumentProgress, cut: Cut, text: str) -> str:
        """Return what was made of several chunks, once it is held against the whole form."""
        if self.form is None or len(cut.chunks) == 1:
            return text
        try:
            return self.form.checked(text, whole=True)
        except Invalid as error:
            work.raw = text
            faults = "; ".join(str(error).splitlines())
            message = f"what was found in its {len(cut.chunks)} parts makes no valid answer: {faults}"
            raise DocumentFailed(INVALID, message, stage="reduce") from error

    async def _map(self, work: DocumentProgress, cut: Cut, number: int) -> Text | None:
        """Ask over one chunk; None where that call failed for good."""
        chunk = cut.chunks[number]
        place = CallPosition("map", 0, number, chunk.start, chunk.end)
        return await self._asked(work, place, self._map_prompt(cut, chunk), whole=len(cut.chunks) == 1)

    def _map_prompt(self, cut: Cut, chunk: Chunk) -> Prompt:
        template = self.prompts.stuff if cut.strategy == "stuff" else self.prompts.map
        return self._prompt(template, chunk.tokens, whole=len(cut.chunks) == 1, text=cut.passage(chunk))

    async def _reduce(self, work: DocumentProgress, cut: Cut, parts: Sequence[Text]) -> Text:
        """Merge answers level by level until one is left."""
        level = 0
        cutter = self.cutter.measured(cut.measure)
        while len(parts) > 1:
            level += 1
            try:
                parts = await self._level(work, cutter, level, parts)
            except Overflow as error:
                # The answers are grouped anew; the chunks under them were answered and paid for.
                self.measures.overflowed(cutter.measure, cutter.route.window.context, error.words)
                cutter = self.cutter.measured(self.measures.latest)
                work.cuts += 1
                level -= 1
        return parts[0]

    async def _level(self, work: DocumentProgress, cutter: Cutter, level: int, parts: Sequence[Text]) -> Sequence[Text]:
        """Merge answers into fewer. Raises DocumentFailed where no two of them fit in one call."""
        sized = await self._sized(parts)
        template = cutter.guarded(self.prompts.reduce, *(part.text for part in parts))
        groups = list(fill_groups(sized, cutter.room(template)))
        if len(groups) == len(parts):
            message = (
                f"{len(parts)} answers can't be merged: no two of them fit in one call: "
                "give a smaller --max-output-tokens, or a model with a larger window"
            )
            raise DocumentFailed("cannot_reduce", message, stage="reduce")
        last = len(groups) == 1
        merged = await self._all(
            self._merge(work, CallPosition("reduce", level, number), group, whole=last)
            for number, group in enumerate(groups)
        )
        if any(text is None for text in merged):
            raise DocumentFailed(*_last_failure(work))
        return [text for text in merged if text is not None]

    async def _sized(self, parts: Sequence[Text]) -> list[SizedAnswer]:
        """Count answers' tokens off the event loop."""
        count = self.asker.tokenizer.count
        return await asyncio.to_thread(lambda: [SizedAnswer(part, count(part.text) + SEAM) for part in parts])

    async def _merge(
        self, work: DocumentProgress, place: CallPosition, group: Sequence[SizedAnswer], *, whole: bool
    ) -> Text | None:
        """Ask over one group of answers; a group of one goes up as it is."""
        if len(group) == 1:
            return group[0].answer
        joined = BETWEEN.join(part.answer.text for part in group)
        tokens = sum(part.tokens for part in group)
        prompt = self._prompt(self.prompts.reduce, tokens, whole=whole, text=joined)
        return await self._asked(work, place, prompt, whole=whole)

    async def _refine(self, work: DocumentProgress, cut: Cut) -> Outcome:
        """Carry one answer through the chunks, in order; a chunk that fails is left out."""
        answer: Text | None = None
        covered = 0
        cutter = self.cutter.measured(cut.measure)
        for number, chunk in enumerate(cut.chunks):
            if answer is None:
                got = await self._map(work, cut, number)
            else:
                (sized,) = await self._sized([answer])
                tokens = chunk.tokens + sized.tokens
                if tokens > cutter.room(cutter.guarded(self.prompts.refine, answer.text, cut.passage(chunk))):
                    message = "the answer so far leaves no room for the next part: use --strategy map-reduce"
                    raise DocumentFailed("cannot_refine", message, stage="refine")
                place = CallPosition("refine", 0, number, chunk.start, chunk.end)
                fields = {"answer": answer.text, "text": cut.passage(chunk)}
                prompt = self._prompt(self.prompts.refine, tokens, whole=False, **fields)
                got = await self._asked(work, place, prompt, whole=False)
            if got is not None:
                answer, covered = got, covered + chunk.end - chunk.start
        if answer is None:
            raise DocumentFailed(*_last_failure(work))
        return Outcome(self._whole(work, cut, answer.text), covered, answer.cut)

    async def _asked(self, work: DocumentProgress, place: CallPosition, prompt: Prompt, *, whole: bool) -> Text | None:
        """Ask; None where the call was set aside. Raises Overflow where the text may be cut again."""
        try:
            answer = await self.asker.ask(work, place, prompt)
            if self.form is None:
                return answer
            return await checked(self.asker, self.form, work, place, prompt, answer, whole=whole)
        except Overflow:
            if work.may_cut_again:
                raise
            return None
        except CallRejected:
            return None

    def _prompt(self, template: str, tokens: int, *, whole: bool, **texts: str) -> Prompt:
        """Return a template filled, in one pass; `tokens` are the texts'."""
        cutter = self.cutter
        template = cutter.guarded(template, *texts.values())
        text, schema = fill(template, **cutter.fields, **texts), self.form.asked(whole=whole) if self.form else None
        return Prompt(text, cutter.tokens(template) + tokens + SEAM, stop_of(template), schema)

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


def _last_failure(work: DocumentProgress) -> tuple[str, str]:
    row = work.failures[-1]
    return str(row["error_kind"]), str(row["error"])
