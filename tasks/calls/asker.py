"""Ask one route: what was paid before first, then the provider."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tasks.base.errors import CallFailed, CallRejected, NotSent, Overflow, RouteUnavailable
from tasks.calls.payments import PaidUsage, Paying, is_kept
from tasks.calls.progress import Meter
from tasks.calls.rows import CallPosition, DocumentProgress, Got, call_row, failed_call_row
from tasks.calls.token_calibration import TokenCalibration
from tasks.chunking.chat_template import TEMPLATES, conversation_tokens
from tasks.chunking.tokenizer import Tokenizer
from tasks.dispatch.exchange import Call, Exchange, Paid
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import StoredAnswer
from tasks.prompting.conversation import Conversation, ConversationBuilder, Prompt, Text, begun_with
from tasks.providers.protocol import CUT, Answer, Completion, call_id, encode
from tasks.providers.structured import Structured, fails_format, refuses_format, response_format

MAX_CONTINUATIONS = 3


@dataclass(slots=True)
class Asker(Paying):
    """Asks one route for one job, on one event loop.

    `structured` is how the route is told of a schema (structured.py), None where it isn't,
    or refused to be.
    """

    meter: Meter
    tokenizer: Tokenizer
    routing: str
    extras: dict[str, Any]
    continue_prompt: str
    structured: Structured | None = None
    _asked: dict[str, asyncio.Event] = field(default_factory=dict)

    @property
    def ledger(self) -> Ledger:
        """What was paid before."""
        return self.payer.ledger

    @property
    def measures(self) -> TokenCalibration:
        """What was learned of how the route counts."""
        return self.payer.measures

    async def ask(self, work: DocumentProgress, place: CallPosition, prompt: Prompt) -> Text:
        """Return the whole answer to a prompt: one that was cut off is continued.

        Raises CallRejected for the call, RouteUnavailable for the route, JobPaused.
        """
        return await self._answered(work, place, begun_with(prompt))

    async def ask_again(
        self, work: DocumentProgress, place: CallPosition, prompt: Prompt, text: str, words: str
    ) -> Text | None:
        """Return the answer to `words` about an answer's text; None where there is no room for them in the window.

        Raises as `ask` does.
        """
        conversation = await asyncio.to_thread(self._builder.replied, prompt, text, words)
        if not self._fits(conversation):
            return None
        try:
            return await self._answered(work, place, conversation)
        except Overflow:
            return None

    @property
    def _builder(self) -> ConversationBuilder:
        return ConversationBuilder(self.tokenizer, self.continue_prompt, self.route.is_base_model)

    def has_asked(self, prompt: Prompt) -> bool:
        """Whether the answer to a prompt was probably paid for already; from any thread."""
        conversation = begun_with(prompt)
        return any(
            self.ledger.may_know(self._call(one).call_id) for one in (conversation, conversation._replace(schema=None))
        )

    def set_aside(self, work: DocumentProgress, place: CallPosition, error: CallRejected) -> None:
        """Note that the last answer at a place, which was paid, is of no use."""
        call_id = next((row["call_id"] for row in reversed(work.calls) if _place_of(row) == _span(place)), None)
        if work.begin_row(f"{call_id} set aside", place, 0):
            work.failures.append(failed_call_row(work.document_id, place, self.route, call_id, error))
            self.dispatcher.notes.set_aside(call_id, work.document_id, error)

    async def _answered(self, work: DocumentProgress, place: CallPosition, opening: Conversation) -> Text:
        """Return the whole answer that a conversation leads to."""
        conversation, text = opening, ""
        while True:
            try:
                answer = await self._one(work, place, conversation)
            except CallRejected:
                if not text:
                    raise
                return Text(text, cut=True)
            text += answer.text
            if answer.finish_reason not in CUT:
                return Text(text, cut=False)
            # Not the same call again: the conversation goes on where it stopped.
            conversation = await asyncio.to_thread(self._builder.continued, opening, text)
            if not self._fits(conversation) or self._asked_often(work, place):
                return Text(text, cut=True)

    def _unwanted(self, call: Call) -> NotSent | None:
        """Return why a call isn't to be sent so, once the route has refused the response format of another."""
        if self.structured is None and call.format:
            return NotSent("the route refused the response format of another call")
        return None

    def _fits(self, conversation: Conversation) -> bool:
        tokens = conversation_tokens(conversation.counts, TEMPLATES[self.route.template])
        return tokens <= self.measures.latest.most(self.route.window.room(0))

    def _asked_often(self, work: DocumentProgress, place: CallPosition) -> bool:
        used = (row for row in work.calls if row["error_kind"] is None)
        return sum(_place_of(row) == _span(place) for row in used) > MAX_CONTINUATIONS

    async def _one(self, work: DocumentProgress, place: CallPosition, conversation: Conversation) -> Answer:
        """Get one answer, kept or paid; each exchange that it took is a row."""
        conversation = self._spoken(conversation)
        call, turns = self._call(conversation), len(conversation.turns)
        self._put_beside(work, place, call)
        try:
            return await self._kept_or_paid(work, place, call, turns)
        except NotSent:
            return await self._one(work, place, conversation)
        except CallFailed as error:
            # A route that never took a format may break over it without a word of why.
            breaks = error.status in (500, 501) and not self.dispatcher.takes_format
            if conversation.schema is not None and (breaks or fails_format(error) or refuses_format(error)):
                return await self._unformatted(work, place, conversation, error)
            aside = work.given_up[call.call_id] = error if isinstance(error, CallRejected) else given_up(error)
            cut_again = isinstance(error, Overflow) and work.may_cut_again
            if not cut_again and work.begin_row(f"{call.call_id} failed", place, turns):
                work.failures.append(failed_call_row(work.document_id, place, self.route, call.call_id, aside))
            raise aside from error

    async def _unformatted(
        self, work: DocumentProgress, place: CallPosition, conversation: Conversation, error: CallFailed
    ) -> Answer:
        """Ask by the instructions alone, which every prompt has: this time, or from now on where the route refuses."""
        plain = conversation._replace(schema=None)
        if fails_format(error):
            return await self._one(work, place, plain)
        if refuses_format(error):
            self.structured = None
        answer = await self._one(work, place, plain)
        self.structured = None  # it is answered so, and was not otherwise
        return answer

    def _spoken(self, conversation: Conversation) -> Conversation:
        """Return the conversation as it is to be asked: without its schema where the route isn't told of any.

        So too where it was answered without, by a route that refused it in an earlier run.
        """
        if conversation.schema is None:
            return conversation
        plain = conversation._replace(schema=None)
        if self.structured is None or self.route.is_base_model or self._kept(self._call(plain)) is not None:
            return plain
        return conversation

    def _call(self, conversation: Conversation) -> Call:
        route, dispatcher = self.route, self.dispatcher
        structured = self.structured if conversation.schema is not None else None
        request = Completion(
            route.id,
            conversation.turns,
            route.window.max_answer,
            route.upstream,
            self.routing,
            self.extras,
            conversation.stop,
            base_model=route.is_base_model,
            response_format=response_format(structured, conversation.schema)
            if structured and conversation.schema
            else None,
        )
        path, body = dispatcher.wire.completion(request)
        encoded = encode(body)
        prompt_tokens = conversation_tokens(conversation.counts, TEMPLATES[route.template])
        answer_tokens = route.window.max_answer
        identity = call_id(route.provider, dispatcher.account.place, path, encoded)
        form = "response_format" if request.response_format is not None else None
        return Call(identity, path, encoded, prompt_tokens, answer_tokens, form)

    async def _kept_or_paid(self, work: DocumentProgress, place: CallPosition, call: Call, turns: int) -> Answer:
        """Equal requests in flight at once are asked once: the later ones find the first's answer."""
        while (asked := self._asked.get(call.call_id)) is not None:
            await asked.wait()
        kept = self._kept(call)
        if kept is not None:
            return self._found(work, place, call, turns, kept)
        exhausted = work.given_up.get(call.call_id)
        if exhausted is not None:
            raise exhausted
        self._asked[call.call_id] = asyncio.Event()
        try:
            delivered = await self.payer.pay(
                work, call, partial(self._note, work, place, turns), unwanted=partial(self._unwanted, call)
            )
        finally:
            self._asked.pop(call.call_id).set()
        return self._completed(completion(delivered.answer), call)

    def _kept(self, call: Call) -> tuple[StoredAnswer, Answer, CallFailed | None] | None:
        """Return a kept answer, and why it is of no use where it isn't; None where it is asked for (again)."""
        kept = self.ledger.answer(call.call_id)
        if kept is None:
            return None
        try:
            return kept, self.dispatcher.wire.answer(kept.reply), None
        except CallRejected as error:
            return (kept, error.paid, error) if isinstance(error.paid, Answer) else None
        except (CallFailed, RouteUnavailable):
            return None

    def _found(
        self,
        work: DocumentProgress,
        place: CallPosition,
        call: Call,
        turns: int,
        kept: tuple[StoredAnswer, Answer, CallFailed | None],
    ) -> Answer:
        """Return an answer that was paid before, in an earlier run or just now for an equal chunk.

        Raises CallRejected.
        """
        found, answer, error = kept[0], self._completed(kept[1], call), kept[2]
        mine = (found.job_id, found.document_id) == (self.ledger.job_id, work.document_id)
        mine = mine and not work.has_other_row(call.call_id, place)
        kind = error.reason if error else None
        got = Got(answer, found.attempts, found.latency_ms, found.created_at, not mine, kind)
        if work.begin_row(call.call_id, place, turns):
            cost = self._cost(answer) if mine else 0.0
            work.calls.append(call_row(work, place, self.route, call, got, cost))
            self.dispatcher.notes.reused(call.call_id, work.document_id)
            if mine:
                self.meter.paid(answer.prompt_tokens or 0, answer.completion_tokens or 0, cost)
            else:
                self.meter.found()
        if error is not None:
            raise error
        return answer

    def _note(self, work: DocumentProgress, place: CallPosition, turns: int, exchange: Exchange) -> PaidUsage:
        """Put an exchange down as a row the moment it is paid, and learn how the provider counts."""
        call, error = exchange.call, exchange.error
        answer = self._completed(completion(exchange.paid), call)
        cost, kind = self._cost(answer), error.reason if error else None
        got = Got(answer, exchange.attempts, exchange.latency_ms, datetime.now(UTC), error_kind=kind)
        if error is None or is_kept(exchange):
            work.begin_row(call.call_id, place, turns)
        work.calls.append(call_row(work, place, self.route, call, got, cost))
        if answer.prompt_tokens and not self.extras.get("integrity"):
            self.measures.learn(call.prompt_tokens, answer.prompt_tokens)
        return PaidUsage(answer.prompt_tokens or 0, answer.completion_tokens or 0, cost)

    def _put_beside(self, work: DocumentProgress, place: CallPosition, call: Call) -> None:
        """Put down what an earlier run paid for a call beside its kept answer."""
        if not work.looks_beside(call.call_id):
            return
        for paid in self.ledger.paid_beside(call.call_id):
            if paid.document_id == work.document_id and paid.tokens is not None:
                answer = Answer("", None, *paid.tokens, paid.cost, paid.served_by)
                got = Got(answer, paid.attempts, paid.latency_ms, paid.created_at, error_kind=paid.reason)
                work.calls.append(call_row(work, place, self.route, call, got, paid.cost))
                self.meter.paid(*paid.tokens, paid.cost)

    def _completed(self, answer: Answer, call: Call) -> Answer:
        """Fill in the counts a provider left out, and say `length` where the answer is at its most."""
        prompt = call.prompt_tokens if answer.prompt_tokens is None else answer.prompt_tokens
        written, most = answer.completion_tokens, call.max_tokens
        if written is None:
            written = self.tokenizer.count(answer.text)
        # More than the most are not all the answer's: the model reasoned.
        full = written == most or (written > most and self.tokenizer.count(answer.text) >= most)
        finish = "length" if answer.finish_reason in CUT or full else answer.finish_reason
        return Answer(answer.text, finish, prompt, written, answer.cost, answer.served_by)

    def _cost(self, answer: Answer) -> float | None:
        """Return the USD of an answer: the provider's word, else by the route's price; None where that isn't known."""
        if answer.cost is not None:
            return answer.cost
        price = self.route.price
        return price.cost(answer.prompt_tokens or 0, answer.completion_tokens or 0) if price else None


def _span(place: CallPosition) -> tuple[object, ...]:
    return place.level, place.position, place.start, place.end


def completion(paid: Paid | None) -> Answer:
    """Return the answer of a completion."""
    if not isinstance(paid, Answer):
        raise TypeError("vectors in place of an answer")
    return paid


def _place_of(row: dict[str, Any]) -> tuple[object, ...]:
    return row["level"], row["position"], row["start_char"], row["end_char"]


def given_up(error: CallFailed) -> CallRejected:
    """A call that stayed transient to its last attempt is set aside."""
    aside = CallRejected(error.reason, f"{error} (after {error.attempts} attempts)", status=error.status)
    aside.attempts = error.attempts
    return aside
