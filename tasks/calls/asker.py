"""Answer calls at one route: from the ledger if an answer was paid before, else from the provider."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tasks.base.errors import CallFailed, CallRejected, NotSent, Overflow
from tasks.calls.call_context import CallContext
from tasks.calls.recorder import CallRecorder, completion
from tasks.calls.route_client import RouteClient
from tasks.chunking.chat_template import TEMPLATES, conversation_tokens
from tasks.models.route import Route
from tasks.prompting.conversation import Conversation, Prompt, Text, begun_with
from tasks.providers.call import Call, build_call
from tasks.providers.protocol import CUT, Answer, Completion, TokenProbability
from tasks.providers.structured import Structured, fails_format, refuses_format, response_format

MAX_CONTINUATIONS = 3


@dataclass(slots=True)
class Asker:
    """Asks one route for one job, on one event loop.

    `extras` are fields of every body. `structured` is how requests pass on a schema (structured.py); None if the
    route doesn't take one, or has refused it. `logprobs` is the field's value that asks for the tokens' probabilities.
    """

    client: RouteClient
    recorder: CallRecorder
    routing: str
    extras: Mapping[str, Any]
    structured: Structured | None = None
    logprobs: bool | int | None = None
    # Whether a prompt with a schema may have been asked without it in this run.
    _asked_plainly: bool = False
    _in_flight: dict[str, asyncio.Event] = field(default_factory=dict)

    async def ask(self, context: CallContext, opening: Conversation) -> Text:
        """Return the whole answer that a conversation leads to: one that was cut off is continued.

        Raises CallRejected for the call, RouteUnavailable for the route, JobPaused.
        """
        conversation, text, tokens = opening, "", tuple[TokenProbability, ...]()
        while True:
            try:
                answer = await self._answer(context, conversation)
            except CallRejected:
                if not text:
                    raise
                return Text(text, cut=True)
            text, tokens = text + answer.text, tokens + answer.tokens
            if answer.finish_reason not in CUT:
                return Text(text, cut=False, tokens=tokens)
            # Not the same call again: the conversation continues where the answer was cut off.
            conversation = await asyncio.to_thread(self.recorder.builder.continued, opening, text)
            if not self._fits(conversation) or context.answers() > MAX_CONTINUATIONS:
                return Text(text, cut=True)

    async def ask_again(self, context: CallContext, prompt: Prompt, text: str, words: str) -> Text | None:
        """Return the answer to `words` about an answer's text; None where there is no room for them in the window.

        Raises as `ask` does.
        """
        conversation = await asyncio.to_thread(self.recorder.builder.replied, prompt, text, words)
        if not self._fits(conversation):
            return None
        try:
            return await self.ask(context, conversation)
        except Overflow:
            return None

    def has_asked(self, prompt: Prompt) -> bool:
        """Whether the answer to a prompt was probably paid for already; from any thread."""
        opening, ledger = begun_with(prompt), self.client.ledger
        conversations = (opening, opening._replace(schema=None)) if opening.schema is not None else (opening,)
        return any(ledger.may_know(self.call(conversation).call_id) for conversation in conversations)

    def set_aside(self, context: CallContext, error: CallRejected) -> None:
        """Record that the last answer at a position, which was paid for, is unusable."""
        call_id = context.last_call_id()
        if context.begin_row(f"{call_id} set aside", 0):
            self.recorder.failed(context, call_id, error)
            self.client.dispatcher.notes.set_aside(call_id, context.document_id, error)

    async def _answer(self, context: CallContext, conversation: Conversation) -> Answer:
        """Return one answer, stored or newly paid; each exchange that it takes becomes a row.

        If the route can't answer in the requested format, the call is repeated without it, as the prompt holds the
        instructions anyway: only this time, or from now on if the route refuses the format.
        """
        was_refused = False
        while True:
            conversation = self._worded(conversation)
            call, turns = self.call(conversation), len(conversation.turns)
            self.recorder.paid_beside(context, call)
            try:
                # Equal requests in flight at once are asked once: the later ones find the first's answer.
                while (first := self._in_flight.get(call.call_id)) is not None:
                    await first.wait()
                if (answer := self._known(context, call, conversation)) is None:
                    with self._flying(call):
                        note = partial(self.recorder.paid, context, conversation)
                        unwanted = partial(self._unwanted, call)
                        async with self.client.paying(context.progress, call, note, unwanted=unwanted) as payment:
                            delivered = await payment.send()
                    answer = self.recorder.completed(completion(delivered.answer), call, conversation)
            except NotSent:
                continue
            except CallFailed as error:
                if conversation.schema is None or not self._is_about_format(error):
                    raise self._given_up(context, call, turns, error) from error
                was_refused, conversation = not fails_format(error), self._without_format(conversation, error)
            else:
                if was_refused:
                    self.structured = None  # the route answers without the format, and didn't with it
                return answer

    def _known(self, context: CallContext, call: Call, conversation: Conversation) -> Answer | None:
        """Return the kept answer to a call, if any. Raises why it is of no use, or isn't asked for any more."""
        if (kept := self.recorder.kept(call)) is not None:
            return self.recorder.reused(context, call, conversation, kept)
        if (given_up := context.progress.given_up.get(call.call_id)) is not None:
            raise given_up
        return None

    @contextlib.contextmanager
    def _flying(self, call: Call) -> Iterator[None]:
        self._in_flight[call.call_id] = asyncio.Event()
        try:
            yield
        finally:
            self._in_flight.pop(call.call_id).set()

    def _unwanted(self, call: Call) -> NotSent | None:
        """Return why a call isn't to be sent so, once the route has refused the response format of another."""
        if self.structured is None and call.format:
            return NotSent("the route refused the response format of another call")
        return None

    def _is_about_format(self, error: CallFailed) -> bool:
        # A route that never took a format may break over it without a word of why.
        breaks = error.status in (500, 501) and not self.client.dispatcher.takes_format
        return breaks or fails_format(error) or refuses_format(error)

    def _without_format(self, conversation: Conversation, error: CallFailed) -> Conversation:
        self._asked_plainly = True
        if refuses_format(error):
            self.structured = None
        return conversation._replace(schema=None)

    def _given_up(self, context: CallContext, call: Call, turns: int, error: CallFailed) -> CallRejected:
        """Record that a call is given up, and return the error."""
        progress = context.progress
        aside = progress.given_up[call.call_id] = error if isinstance(error, CallRejected) else given_up(error)
        cut_again = isinstance(error, Overflow) and progress.may_cut_again
        if not cut_again and context.begin_row(f"{call.call_id} failed", turns):
            self.recorder.failed(context, call.call_id, aside)
        return aside

    def _worded(self, conversation: Conversation) -> Conversation:
        """Return the conversation as it is sent: without its schema if the route takes none.

        The same holds if a stored answer was given without the schema, after a refusal in an earlier run.
        """
        if conversation.schema is None:
            return conversation
        plain = conversation._replace(schema=None)
        if self.structured is None or self.client.route.is_base_model:
            return plain
        may_be_kept = self._asked_plainly or self.client.ledger.had_answers
        return plain if may_be_kept and self.recorder.kept(self.call(plain)) else conversation

    def call(self, conversation: Conversation) -> Call:
        """Return the request that asks a conversation of the route."""
        route, exchanger = self.client.route, self.client.dispatcher.exchanger
        form = None
        if self.structured is not None and conversation.schema is not None:
            form = response_format(self.structured, conversation.schema)
        request = Completion(
            route.id,
            conversation.turns,
            route.window.max_answer,
            route.upstream,
            self.routing,
            self.extras,
            conversation.stop,
            base_model=route.is_base_model,
            response_format=form,
            logprobs=None if route.is_base_model else self.logprobs,
        )
        return build_call(
            exchanger.account,
            exchanger.wire.completion(request),
            prompt_tokens=_tokens(route, conversation),
            max_tokens=route.window.max_answer,
            is_bound=conversation.is_bound,
        )

    def _fits(self, conversation: Conversation) -> bool:
        client = self.client
        return _tokens(client.route, conversation) <= client.measures.latest.most(client.route.window.room(0))


def _tokens(route: Route, conversation: Conversation) -> int:
    return conversation_tokens(conversation.counts, TEMPLATES[route.template])


def given_up(error: CallFailed) -> CallRejected:
    """A call that stayed transient to its last attempt is set aside."""
    aside = CallRejected(error.reason, f"{error} (after {error.attempts} attempts)", status=error.status)
    aside.attempts = error.attempts
    return aside
