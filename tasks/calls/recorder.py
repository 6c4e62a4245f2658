"""Record the answers of one route's completions as rows, whether they are stored or newly paid."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from tasks.base.errors import CallFailed, CallRejected, RouteUnavailable
from tasks.calls.call_context import CallContext
from tasks.calls.route_client import PaidUsage, RouteClient, is_kept
from tasks.calls.rows import Got, call_row, failed_call_row
from tasks.chunking.chat_template import TEMPLATES, conversation_tokens
from tasks.dispatch.exchange import Exchange, Paid
from tasks.ledger.records import StoredAnswer
from tasks.prompting.conversation import Conversation, ConversationBuilder
from tasks.providers.call import Call
from tasks.providers.protocol import CUT, Answer


class KeptAnswer(NamedTuple):
    """An answer of the ledger as it was stored and as it reads; `error` says why it is of no use, where it isn't."""

    stored: StoredAnswer
    answer: Answer
    error: CallRejected | None


@dataclass(frozen=True, slots=True)
class CallRecorder:
    """Finds stored answers of one route, and records paid ones; `votes`: its token counts cover several answers."""

    client: RouteClient
    builder: ConversationBuilder
    votes: bool = False

    def kept(self, call: Call) -> KeptAnswer | None:
        """Return the kept answer to a call; None where it is asked for (again)."""
        stored = self.client.ledger.answer(call.call_id)
        if stored is None:
            return None
        try:
            return KeptAnswer(stored, self.client.dispatcher.exchanger.wire.answer(stored.reply), None)
        except CallRejected as error:
            return KeptAnswer(stored, error.paid, error) if isinstance(error.paid, Answer) else None
        except (CallFailed, RouteUnavailable):
            return None

    def reused(self, context: CallContext, call: Call, conversation: Conversation, kept: KeptAnswer) -> Answer:
        """Return an answer that was paid before, in an earlier run or just now for an equal chunk.

        Raises CallRejected where it is of no use.
        """
        stored, progress = kept.stored, context.progress
        answer, turns = self.completed(kept.answer, call, conversation), len(conversation.turns)
        mine = (stored.job_id, stored.document_id) == (self.client.ledger.job_id, progress.document_id)
        mine = mine and not progress.has_other_row(call.call_id, context.position)
        kind = kept.error.reason if kept.error else None
        got = Got(answer, stored.attempts, stored.latency_ms, stored.created_at, not mine, kind)
        if context.begin_row(call.call_id, turns):
            cost = self._cost(answer) if mine else 0.0
            progress.calls.append(call_row(context, self.client.route, call, got, cost))
            self.client.dispatcher.notes.reused(call.call_id, progress.document_id)
            if mine:
                self.client.meter.paid(answer.prompt_tokens or 0, answer.completion_tokens or 0, cost)
            else:
                self.client.meter.found()
        if kept.error is not None:
            raise kept.error
        return answer

    def paid(self, context: CallContext, conversation: Conversation, exchange: Exchange) -> PaidUsage:
        """Put an exchange down as a row the moment it is paid, and learn how the provider counts."""
        call, error = exchange.call, exchange.error
        answer = self.completed(completion(exchange.paid), call, conversation)
        cost, kind = self._cost(answer), error.reason if error else None
        got = Got(answer, exchange.attempts, exchange.latency_ms, datetime.now(UTC), error_kind=kind)
        if error is None or is_kept(exchange):
            context.begin_row(call.call_id, len(conversation.turns))
        context.progress.calls.append(call_row(context, self.client.route, call, got, cost))
        if answer.prompt_tokens and not self.votes and not call.is_bound:
            self.client.measures.learn(call.prompt_tokens, answer.prompt_tokens)
        return PaidUsage(answer.prompt_tokens or 0, answer.completion_tokens or 0, cost)

    def paid_beside(self, context: CallContext, call: Call) -> None:
        """Put down what an earlier run paid for a call beside its kept answer."""
        if not context.progress.looks_beside(call.call_id):
            return
        for paid in self.client.ledger.paid_beside(call.call_id):
            if paid.document_id == context.document_id and paid.tokens is not None:
                answer = Answer("", None, *paid.tokens, paid.cost, paid.served_by)
                got = Got(answer, paid.attempts, paid.latency_ms, paid.created_at, error_kind=paid.reason)
                context.progress.calls.append(call_row(context, self.client.route, call, got, paid.cost))
                self.client.meter.paid(*paid.tokens, paid.cost)

    def failed(self, context: CallContext, call_id: str | None, error: CallFailed) -> None:
        """Put down a call that failed for good, or whose answer is of no use."""
        row = failed_call_row(context.document_id, context.position, self.client.route, call_id, error)
        context.progress.failures.append(row)

    def completed(self, answer: Answer, call: Call, conversation: Conversation) -> Answer:
        """Fill in counts that the provider left out; set the finish reason `length` if the answer reached its limit."""
        prompt = answer.prompt_tokens
        if prompt is None:
            prompt = self._counted(call, conversation)
        written, most = answer.completion_tokens, call.max_tokens
        if written is None:
            written = self.builder.tokenizer.count(answer.text)
        # A count beyond the limit includes reasoning.
        full = written == most or (written > most and self.builder.tokenizer.count(answer.text) >= most)
        finish = "length" if answer.finish_reason in CUT or full else answer.finish_reason
        return answer._replace(finish_reason=finish, prompt_tokens=prompt, completion_tokens=written)

    def _counted(self, call: Call, conversation: Conversation) -> int:
        """Return the tokens of a call's prompt by our own count, of which it may know a bound alone."""
        if not call.is_bound:
            return call.prompt_tokens
        counts = self.builder.counted(conversation)
        return conversation_tokens(counts, TEMPLATES[self.client.route.template])

    def _cost(self, answer: Answer) -> float | None:
        """Return the USD of an answer: the provider's word, else by the route's price; None where that isn't known."""
        if answer.cost is not None:
            return answer.cost
        price = self.client.route.price
        return price.cost(answer.prompt_tokens or 0, answer.completion_tokens or 0) if price else None


def completion(paid: Paid | None) -> Answer:
    """Return the answer of a completion."""
    if not isinstance(paid, Answer):
        raise TypeError("vectors in place of an answer")
    return paid
