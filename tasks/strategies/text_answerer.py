"""Answer texts at one route: a strategy's calls over one document, with their prompts and their form."""

import asyncio
from collections.abc import Mapping, Sequence
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
from tasks.strategies.named import STRATEGIES
from tasks.strategies.repair import checked
from tasks.strategies.strategy import SizedAnswer

BETWEEN = "\n\n"


@dataclass(frozen=True, slots=True)
class TextAnswerer:
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

    def about(self, fields: Mapping[str, str]) -> "TextAnswerer":
        """Return the answerer for a document with fields of its own in the prompt."""
        return replace(self, cutter=self.cutter.about(fields)) if fields else self

    def cut(self, content: Content, above: TokenMeasure | None = None) -> Cut:
        """Cut a text by what was learned of the route, as it was cut before where that was paid for.

        What was learned up to `above` proved too little for it. Call it off the event
        loop. Raises DocumentFailed as `Cutter.cut` does, and JobPaused once the job is stopped.
        """
        known = self.measures.all
        candidates = known if above is None else known[known.index(above) + 1 :]
        for measure in candidates[:-1]:
            cut = self.cutter.measured(measure).cut(content, self.asker.payer.check)
            if self.asker.has_asked(self.chunk_prompt(cut, cut.chunks[0])):
                return cut
        return self.cutter.measured(candidates[-1]).cut(content, self.asker.payer.check)

    def has_begun(self, content: Content) -> bool:
        """Whether the first call over a text was probably paid for here. Not on the event loop."""
        cut = self.cut(content)
        return self.asker.has_asked(self.chunk_prompt(cut, cut.chunks[0]))

    async def answer(self, work: DocumentProgress, cut: Cut) -> Outcome:
        """Return the one answer over a text that was cut.

        Raises DocumentFailed where no chunk was answered, or the answers can't be
        merged into a valid one; RouteUnavailable and JobPaused as they come.
        """
        outcome = await STRATEGIES[self.cutter.strategy.name].run(DocumentAsk(self, work, cut))
        return outcome._replace(output=self._whole(work, cut, outcome.output))

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

    def chunk_prompt(self, cut: Cut, chunk: Chunk) -> Prompt:
        """Return the prompt over one chunk."""
        template = self.prompts.stuff if cut.is_whole else self.prompts.map
        return self.prompt(template, chunk.tokens, whole=len(cut.chunks) == 1, text=cut.passage(chunk))

    def prompt(self, template: str, tokens: int, *, whole: bool, **texts: str) -> Prompt:
        """Return a template filled, in one pass; `tokens` are the texts'."""
        cutter = self.cutter
        template = cutter.guarded(template, *texts.values())
        text, schema = fill(template, **cutter.fields, **texts), self.form.asked(whole=whole) if self.form else None
        return Prompt(text, cutter.tokens(template) + tokens + SEAM, stop_of(template), schema)

    async def ask(self, work: DocumentProgress, place: CallPosition, prompt: Prompt, *, whole: bool) -> Text | None:
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


class DocumentAsk:
    """What a strategy asks through over one document that was cut (an Ask)."""

    def __init__(self, answerer: TextAnswerer, work: DocumentProgress, cut: Cut) -> None:
        self.cut = cut
        self._answerer, self._work = answerer, work
        self._cutter = answerer.cutter.measured(cut.measure)

    async def chunk(self, number: int) -> Text | None:
        """Ask over one chunk."""
        prompt = self._answerer.chunk_prompt(self.cut, self.cut.chunks[number])
        return await self._ask(self._at("map", number), prompt, whole=len(self.cut.chunks) == 1)

    async def refined(self, number: int, answer: SizedAnswer) -> Text | None:
        """Ask for the answer so far, written anew with one more chunk. Raises DocumentFailed where both don't fit."""
        chunk, template = self.cut.chunks[number], self._answerer.prompts.refine
        tokens, passage = chunk.tokens + answer.tokens, self.cut.passage(chunk)
        if tokens > self._room(template, answer.answer.text, passage):
            message = "the answer so far leaves no room for the next part: use --strategy map-reduce"
            raise DocumentFailed("cannot_refine", message, stage="refine")
        fields = {"answer": answer.answer.text, "text": passage}
        prompt = self._answerer.prompt(template, tokens, whole=False, **fields)
        return await self._ask(self._at("refine", number), prompt, whole=False)

    async def merged(self, level: int, number: int, group: Sequence[SizedAnswer], *, last: bool) -> Text | None:
        """Ask over one group of answers; a group of one goes up as it is."""
        if len(group) == 1:
            return group[0].answer
        joined = BETWEEN.join(part.answer.text for part in group)
        tokens = sum(part.tokens for part in group)
        prompt = self._answerer.prompt(self._answerer.prompts.reduce, tokens, whole=last, text=joined)
        return await self._ask(CallPosition("reduce", level, number), prompt, whole=last)

    async def sized(self, answers: Sequence[Text]) -> list[SizedAnswer]:
        """Count answers' tokens off the event loop."""
        count = self._answerer.asker.tokenizer.count
        return await asyncio.to_thread(lambda: [SizedAnswer(one, count(one.text) + SEAM) for one in answers])

    def room_to_merge(self, answers: Sequence[Text]) -> int:
        """Return the tokens that one call has for answers to merge."""
        return self._room(self._answerer.prompts.reduce, *(answer.text for answer in answers))

    def joined(self, answers: Sequence[Text]) -> Text | None:
        """Return one answer made of several without a call, where the form has a rule for that."""
        form = self._answerer.form
        if form is None or form.asks_to_merge:
            return None
        return Text(form.joined([answer.text for answer in answers]), cut=False)

    def overflowed(self, error: Overflow) -> None:
        """Learn that a route counts more tokens than was thought, for the calls that follow."""
        measures, cutter = self._answerer.measures, self._cutter
        measures.overflowed(cutter.measure, cutter.route.window.context, error.words)
        self._cutter = cutter.measured(measures.latest)
        self._work.cuts += 1

    def last_failure(self) -> DocumentFailed:
        """Return why a document has no answer: the last of its calls that was set aside."""
        row = self._work.failures[-1]
        return DocumentFailed(str(row["error_kind"]), str(row["error"]))

    async def _ask(self, place: CallPosition, prompt: Prompt, *, whole: bool) -> Text | None:
        return await self._answerer.ask(self._work, place, prompt, whole=whole)

    def _room(self, template: str, *texts: str) -> int:
        return self._cutter.room(self._cutter.guarded(template, *texts))

    def _at(self, stage: str, number: int) -> CallPosition:
        chunk = self.cut.chunks[number]
        return CallPosition(stage, 0, number, chunk.start, chunk.end)
