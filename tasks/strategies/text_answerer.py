"""Answer texts at one route: a strategy's calls over one document, with their prompts and their form."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tasks.base.errors import CallRejected, DocumentFailed, Overflow
from tasks.calls.asker import Asker
from tasks.calls.call_context import CallContext, CallPosition, DocumentProgress
from tasks.calls.cutting import SEAM, Cut, Cutter
from tasks.calls.route_client import RouteClient
from tasks.calls.rows import INVALID, Outcome
from tasks.calls.token_calibration import TokenMeasure
from tasks.chunking.splitter import Chunk
from tasks.documents.document import Content
from tasks.prompting.answer_form import Form
from tasks.prompting.answer_parser import Invalid
from tasks.prompting.confidence import joined_probabilities
from tasks.prompting.conversation import Prompt, Text, begun_with
from tasks.prompting.templates import fill, stop_of
from tasks.strategies.repair import checked
from tasks.strategies.strategy import SizedAnswer, Strategy

# A call under way; one that is None was set aside.
Asked = Coroutine[Any, Any, Text | None]
BETWEEN = "\n\n"


@dataclass(frozen=True, slots=True)
class TextAnswerer:
    """Answers texts at one route by a strategy; with a `form` every answer is JSON that follows it."""

    client: RouteClient
    asker: Asker
    cutter: Cutter
    strategy: Strategy
    form: Form | None = None

    def about(self, fields: Mapping[str, str]) -> "TextAnswerer":
        """Return the answerer for a document with fields of its own in the prompt."""
        return replace(self, cutter=self.cutter.about(fields)) if fields else self

    def cut(self, content: Content, above: TokenMeasure | None = None) -> Cut:
        """Cut a text by what was learned about the route; in the same way as before if a call over that cut was paid.

        Measures up to and including `above` have proved too small for this text. Not on the event
        loop. Raises DocumentFailed as `Cutter.cut` does, and JobPaused once the job is stopped.
        """
        known = self.client.measures.all
        candidates = known if above is None else known[known.index(above) + 1 :]
        for measure in candidates[:-1]:
            cut = self.cutter.measured(measure).cut(content, self.client.check)
            if self.asker.has_asked(self.chunk_prompt(cut, cut.chunks[0])):
                return cut
        return self.cutter.measured(candidates[-1]).cut(content, self.client.check)

    def has_begun(self, content: Content) -> bool:
        """Whether the first call over a text was probably paid for here. Not on the event loop."""
        cut = self.cut(content)
        return self.asker.has_asked(self.chunk_prompt(cut, cut.chunks[0]))

    def chunk_prompt(self, cut: Cut, chunk: Chunk) -> Prompt:
        """Return the prompt over one chunk."""
        prompts = self.cutter.prompts
        template = prompts.stuff if cut.is_whole else prompts.map
        prompt = self.prompt(template, chunk.tokens, whole=len(cut.chunks) == 1, text=cut.passage(chunk))
        return prompt._replace(is_bound=True) if cut.is_bound else prompt

    def prompt(self, template: str, tokens: int, *, whole: bool, **texts: str) -> Prompt:
        """Return a template filled, in one pass; `tokens` are the texts'."""
        cutter = self.cutter
        template = cutter.guarded(template, *texts.values())
        text, schema = fill(template, **cutter.fields, **texts), self.form.asked(whole=whole) if self.form else None
        return Prompt(text, cutter.tokens(template) + tokens + SEAM, stop_of(template), schema)


class DocumentAsk:
    """Makes a strategy's calls over one document that was cut. An Ask."""

    def __init__(self, answerer: TextAnswerer, progress: DocumentProgress, cut: Cut) -> None:
        self.cut = cut
        self._answerer, self._progress = answerer, progress
        self._cutter = answerer.cutter.measured(cut.measure)

    def concluded(self, outcome: Outcome) -> Outcome:
        """Check a strategy's outcome over several chunks against the whole form, and return it.

        Raises DocumentFailed if it isn't a valid answer.
        """
        form = self._answerer.form
        if form is None or len(self.cut.chunks) == 1:
            return outcome
        try:
            return outcome._replace(output=form.checked(outcome.output, whole=True))
        except Invalid as error:
            self._progress.raw = outcome.output
            faults = "; ".join(str(error).splitlines())
            message = f"what was found in its {len(self.cut.chunks)} parts makes no valid answer: {faults}"
            raise DocumentFailed(INVALID, message, stage="reduce") from error

    def chunk(self, number: int) -> Asked:
        """Ask over one chunk."""
        prompt = self._answerer.chunk_prompt(self.cut, self.cut.chunks[number])
        return self._ask(self._at("map", number), prompt, whole=len(self.cut.chunks) == 1)

    def refined(self, number: int, answer: SizedAnswer) -> Asked:
        """Ask for the answer so far, written anew with one more chunk. Raises DocumentFailed where both don't fit."""
        chunk, template = self.cut.chunks[number], self._answerer.cutter.prompts.refine
        tokens, passage = chunk.tokens + answer.tokens, self.cut.passage(chunk)
        if tokens > self._room(template, answer.answer.text, passage):
            message = "the answer so far leaves no room for the next part: use --strategy map-reduce"
            raise DocumentFailed("cannot_refine", message, stage="refine")
        fields = {"answer": answer.answer.text, "text": passage}
        prompt = self._answerer.prompt(template, tokens, whole=False, **fields)
        return self._ask(self._at("refine", number), prompt, whole=False)

    async def merged(self, level: int, number: int, group: Sequence[SizedAnswer], *, last: bool) -> Text | None:
        """Ask to merge one group of answers; return the answer of a group of one unchanged."""
        if len(group) == 1:
            return group[0].answer
        joined = BETWEEN.join(part.answer.text for part in group)
        tokens = sum(part.tokens for part in group)
        prompt = self._answerer.prompt(self._answerer.cutter.prompts.reduce, tokens, whole=last, text=joined)
        return await self._ask(CallPosition("reduce", level, number), prompt, whole=last)

    async def sized(self, answers: Sequence[Text]) -> list[SizedAnswer]:
        """Count answers' tokens off the event loop."""
        count = self._cutter.tokenizer.count
        return await asyncio.to_thread(lambda: [SizedAnswer(one, count(one.text) + SEAM) for one in answers])

    def room_to_merge(self, answers: Sequence[Text]) -> int:
        """Return the tokens that one call has for answers to merge."""
        return self._room(self._answerer.cutter.prompts.reduce, *(answer.text for answer in answers))

    def joined(self, answers: Sequence[Text]) -> Text | None:
        """Return one answer made of several without a call, where the form has a rule for that."""
        form = self._answerer.form
        if form is None or form.asks_to_merge:
            return None
        text = form.joined([answer.text for answer in answers])
        return Text(text, cut=False, labels=joined_probabilities(form.labels_in(text), [one.labels for one in answers]))

    def overflowed(self, error: Overflow) -> None:
        """Learn that a route counts more tokens than was thought, for the calls that follow."""
        measures, cutter = self._answerer.client.measures, self._cutter
        measures.overflowed(cutter.measure, cutter.route.window.context, error.words)
        self._cutter = cutter.measured(measures.latest)
        self._progress.cuts += 1

    def last_failure(self) -> DocumentFailed:
        """Return why a document has no answer: the last of its calls that was set aside."""
        row = self._progress.failures[-1]
        return DocumentFailed(str(row["error_kind"]), str(row["error"]))

    async def _ask(self, position: CallPosition, prompt: Prompt, *, whole: bool) -> Text | None:
        asker, form, context = self._answerer.asker, self._answerer.form, CallContext(self._progress, position)
        try:
            answer = await asker.ask(context, begun_with(prompt))
            return answer if form is None else await checked(asker, form, context, prompt, answer, whole=whole)
        except Overflow:
            if context.progress.may_cut_again:
                raise
            return None
        except CallRejected:
            return None

    def _room(self, template: str, *texts: str) -> int:
        return self._cutter.room(self._cutter.guarded(template, *texts))

    def _at(self, stage: str, number: int) -> CallPosition:
        chunk = self.cut.chunks[number]
        return CallPosition(stage, 0, number, chunk.start, chunk.end)
