"""Ask one route: what was paid before first, then the provider."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tasks.chunking.template import TEMPLATES, conversation
from tasks.chunking.tokenizer import Tokenizer
from tasks.dispatch.dispatcher import Call, Delivered, Dispatcher, Paid
from tasks.errors import CallFailed, Overflow, RouteLost, SetAside
from tasks.jobs.measure import Measures
from tasks.jobs.meter import Meter
from tasks.jobs.pay import Payer
from tasks.jobs.rows import Got, Place, Work, call_row, failed_call_row
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Kept
from tasks.providers.openai import CUT
from tasks.providers.wire import Answer, Completion, Message, call_id, encode
from tasks.routing.route import Route

MAX_CONTINUATIONS = 3


class Prompt(NamedTuple):
    """A prompt's text, its tokens by the model's tokenizer, and what ends the answer, where something does."""

    text: str
    tokens: int
    stop: str | None = None


class Text(NamedTuple):
    """An answer's text, and whether it is still cut off at its end."""

    text: str
    cut: bool


@dataclass(slots=True)
class Asker:
    """Asks one route for one job, on one event loop."""

    payer: Payer
    meter: Meter
    tokenizer: Tokenizer
    routing: str
    extras: dict[str, Any]
    go_on: str
    _asked: dict[str, asyncio.Event] = field(default_factory=dict)

    @property
    def route(self) -> Route:
        """The route that is asked."""
        return self.payer.route

    @property
    def dispatcher(self) -> Dispatcher:
        """What sends the calls there."""
        return self.payer.dispatcher

    @property
    def ledger(self) -> Ledger:
        """What was paid before."""
        return self.payer.ledger

    @property
    def measures(self) -> Measures:
        """What was learned of how the route counts."""
        return self.payer.measures

    async def ask(self, work: Work, place: Place, prompt: Prompt) -> Text:
        """Return the whole answer to a prompt: one that was cut off is continued.

        Raises SetAside for the call, RouteLost for the route, JobStopped.
        """
        turns, counts = [Message("user", prompt.text)], [prompt.tokens]
        text = ""
        while True:
            try:
                answer = await self._one(work, place, self._call(tuple(turns), counts, prompt.stop), len(turns))
            except SetAside:
                if not text:
                    raise
                return Text(text, cut=True)
            text += answer.text
            if answer.finish_reason not in CUT:
                return Text(text, cut=False)
            # Not the same call again: the conversation goes on where it stopped.
            turns, counts = await asyncio.to_thread(self._continued, prompt, text)
            if not self._may_continue(work, place, counts):
                return Text(text, cut=True)

    def has_asked(self, prompt: Prompt) -> bool:
        """Whether the answer to a prompt was probably paid for already; from any thread."""
        return self.ledger.may_know(self._call((Message("user", prompt.text),), [prompt.tokens], prompt.stop).call_id)

    def _continued(self, prompt: Prompt, text: str) -> tuple[list[Message], list[int]]:
        """Return the turns that have an answer continued, and their tokens; a base model just goes on writing."""
        tokens = self.tokenizer.count(text)
        if self.route.is_base_model:
            return [Message("user", prompt.text + text)], [prompt.tokens + tokens]
        turns = [Message("user", prompt.text), Message("assistant", text), Message("user", self.go_on)]
        return turns, [prompt.tokens, tokens, self.tokenizer.count(self.go_on)]

    def _may_continue(self, work: Work, place: Place, counts: list[int]) -> bool:
        tokens = conversation(counts, TEMPLATES[self.route.template])
        if tokens > self.measures.latest.most(self.route.window.room(0)):
            return False
        rows = [row for row in work.calls if _place_of(row) == (place.level, place.position, place.start, place.end)]
        return len(rows) <= MAX_CONTINUATIONS

    async def _one(self, work: Work, place: Place, call: Call, turns: int) -> Answer:
        """Get one answer, kept or paid, and note it as a row."""
        try:
            got = await self._kept_or_paid(work, place, call)
        except CallFailed as error:
            aside = work.given_up[call.call_id] = error if isinstance(error, SetAside) else given_up(error)
            cut_again = isinstance(error, Overflow) and work.may_cut_again
            if not cut_again and work.begin_row(f"{call.call_id} failed", place, turns):
                work.failures.append(failed_call_row(work, place, self.route, call, aside))
            raise aside from error
        answer = self._completed(got.answer, call)
        if work.begin_row(call.call_id, place, turns):
            times = 2 if got.hedged else 1
            cost = 0.0 if got.reused else self._cost(answer, times)
            self._count(got, answer, cost)
            work.calls.append(call_row(work, place, self.route, call, answer, got, cost))
        return answer

    def _call(self, turns: tuple[Message, ...], counts: list[int], stop: str | None) -> Call:
        route, dispatcher = self.route, self.dispatcher
        request = Completion(
            route.id,
            turns,
            route.window.max_answer,
            route.upstream,
            self.routing,
            self.extras,
            stop,
            base_model=route.is_base_model,
        )
        path, body = dispatcher.wire.completion(request)
        encoded = encode(body)
        prompt_tokens = conversation(counts, TEMPLATES[route.template])
        answer_tokens = route.window.max_answer
        identity = call_id(route.provider, dispatcher.account.place, path, encoded)
        return Call(identity, path, encoded, prompt_tokens, answer_tokens)

    async def _kept_or_paid(self, work: Work, place: Place, call: Call) -> Got:
        """Equal requests in flight at once are asked once: the later ones find the first's answer."""
        while (asked := self._asked.get(call.call_id)) is not None:
            await asked.wait()
        kept = self._kept(call)
        if kept is not None:
            found, answer = kept
            # Paid in an earlier run of this job, or just now for an equal chunk of this document.
            mine = (found.job_id, found.document_id) == (self.ledger.job_id, work.document_id)
            mine = mine and not work.has_other_row(call.call_id, place)
            return Got(answer, found.attempts, found.latency_ms, found.created_at, reused=not mine)
        exhausted = work.given_up.get(call.call_id)
        if exhausted is not None:
            raise exhausted
        self._asked[call.call_id] = asyncio.Event()
        try:
            delivered, answer = await self._paid(work, call)
        finally:
            self._asked.pop(call.call_id).set()
        when = datetime.now(UTC)
        return Got(answer, delivered.attempts, delivered.latency_ms, when, False, delivered.hedged)

    def _kept(self, call: Call) -> tuple[Kept, Answer] | None:
        """Return a kept answer, unless what was kept isn't one: then it is asked for again."""
        kept = self.ledger.answer(call.call_id)
        if kept is None:
            return None
        try:
            return kept, self.dispatcher.wire.answer(kept.reply)
        except (CallFailed, RouteLost):
            return None

    async def _paid(self, work: Work, call: Call) -> tuple[Delivered, Answer]:
        """Ask the provider, and learn how it counts."""

        def cost_of(answer: Paid, times: int) -> float | None:
            return self._cost(self._completed(completion(answer), call), times)

        delivered = await self.payer.pay(work, call, cost_of)
        answer = completion(delivered.answer)
        if answer.prompt_tokens and not self.extras.get("integrity"):
            self.measures.learn(call.prompt_tokens, answer.prompt_tokens)
        return delivered, answer

    def _completed(self, answer: Answer, call: Call) -> Answer:
        """Fill in the counts a provider left out, and say `length` where the answer is at its most."""
        prompt = call.prompt_tokens if answer.prompt_tokens is None else answer.prompt_tokens
        written = answer.completion_tokens
        written = self.tokenizer.count(answer.text) if written is None else written
        full = answer.finish_reason in CUT or written >= call.max_tokens
        finish = "length" if full else answer.finish_reason
        return Answer(answer.text, finish, prompt, written, answer.cost, answer.served_by)

    def _cost(self, answer: Answer, times: int) -> float | None:
        """Return the USD of an answer; of one that was asked for twice, as if both were paid."""
        if answer.cost is not None:
            return answer.cost * times
        price = self.route.price
        return price.cost(answer.prompt_tokens or 0, answer.completion_tokens or 0) * times if price else None

    def _count(self, got: Got, answer: Answer, cost: float | None) -> None:
        if got.reused:
            self.meter.found()
        else:
            self.meter.paid(answer.prompt_tokens or 0, answer.completion_tokens or 0, cost)


def completion(paid: Paid) -> Answer:
    """Return the answer of a completion."""
    if not isinstance(paid, Answer):
        raise TypeError("vectors in place of an answer")
    return paid


def _place_of(row: dict[str, Any]) -> tuple[object, ...]:
    return row["level"], row["position"], row["start_char"], row["end_char"]


def given_up(error: CallFailed) -> SetAside:
    """A call that stayed transient to its last attempt is set aside."""
    aside = SetAside(error.reason, f"{error} (after {error.attempts} attempts)", status=error.status)
    aside.attempts = error.attempts
    return aside
