"""Ask routes a tiny question, with the same client, accounts and limits as jobs, and record how they answer."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from tasks.base.errors import BudgetReached, CallFailed, JobPaused, RouteDown, RouteUnavailable
from tasks.dispatch.budget import Spending
from tasks.dispatch.client import Client
from tasks.dispatch.dispatcher import Dispatcher
from tasks.dispatch.exchange import Exchange, Paid
from tasks.dispatch.exchanger import Exchanger, Sender
from tasks.dispatch.limits.gate import Limits
from tasks.dispatch.retry import Policy
from tasks.monitoring.health_records import HealthEvent, Skipped
from tasks.monitoring.targets import ProbeTarget
from tasks.prompting.options import Options
from tasks.providers.account import Account
from tasks.providers.call import Call, build_call
from tasks.providers.protocol import Completion, Message, Reply, Wire
from tasks.providers.registry import wire_of
from tasks.providers.streaming import Gathering
from tasks.providers.vectors import Embedding
from tasks.running.runtime import declared

MOST_TOKENS = 16
# What a chat template adds at most.
TEMPLATE_TOKENS = 64
SMALL = 200
ONCE = Policy(least=1, least_timeouts=1, most=1)
_SENTENCE = "Line {number}: at the mill the river stood at {mark} marks, and the keeper wrote it down. "
# Errors after which a probe may have been answered and paid for, although no answer arrived.
_UNHEARD = frozenset({"timeout", "connection"})

# Errors that are expected, as MOST_TOKENS may be too few for a first word.
WORDLESS = frozenset({"empty_answer", "reasoning_only"})

Outcome = HealthEvent | Skipped


class Heard(NamedTuple):
    """The times of an exchange, in seconds since it was sent; `status` is None without a reply."""

    seconds: float
    first_token: float | None
    status: int | None


class Timed:
    """A sender that measures one probe; a completion is streamed if it can be."""

    def __init__(self, client: Sender, clock: Callable[[], float], *, streams: bool) -> None:
        self._client, self._clock, self._streams = client, clock, streams
        self.heard: Heard | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply:
        """POST as the client does."""
        sent, first = self._clock(), None
        gathering = Gathering()

        def hear(piece: bytes) -> None:
            nonlocal first
            gathering.feed(piece)
            if first is None and gathering.has_begun:
                first = self._clock() - sent

        self.heard = Heard(0.0, None, None)
        if self._streams and isinstance(self._client, Client):
            reply = gathering.reply(await self._client.stream(url, headers, body, seconds, hear))
        else:
            reply = await self._client.post(url, headers, body, seconds)
        self.heard = Heard(self._clock() - sent, first, reply.status)
        return reply

    async def get(self, url: str, headers: Mapping[str, str], seconds: float) -> Reply:
        """GET as the client does."""
        return await self._client.get(url, headers, seconds)


@dataclass(slots=True)
class Prober:
    """Sends probes on one event loop, within a budget.

    `here` are the models of this machine, by kind: who carries a request (None: the client), and the account.
    """

    client: Client
    spending: Spending
    here: Mapping[str, tuple[Sender | None, Account]] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    gates: dict[tuple[str, str], Limits] = field(default_factory=dict)

    async def probe(self, target: ProbeTarget, characters: int) -> Outcome:
        """Ask a route once, with a prompt of so many characters; return its event, or why it was skipped."""
        worst = worst_case(target, characters)
        if worst is None:
            return Skipped(target.provider, target.model, "its price isn't known: give it with --price IN/OUT")
        if (why := unfit(target, characters)) is not None:
            return Skipped(target.provider, target.model, why)
        try:
            if worst:  # what is free needs no budget
                await self.spending.reserve(worst)
        except BudgetReached:
            why = f"the day's --probe-budget doesn't cover ${worst:.6f}"
            return Skipped(target.provider, target.model, why)
        cost = worst
        try:
            event = await self._asked(target, characters, worst)
            cost = event.cost_usd or 0.0
        finally:
            await self.spending.settle(worst, cost)
        return event

    async def _asked(self, target: ProbeTarget, characters: int, worst: float) -> HealthEvent:
        own, account = (None, target.account) if target.account else self.here[target.kind]
        provider = target.candidate.provider
        wire = wire_of(provider.wire)
        timed = Timed(own or self.client, self.clock, streams=target.kind != "embedding" and wire.streams)
        gate = self._gate(account, target)
        dispatcher = Dispatcher(Exchanger(timed, account, wire), gate, ONCE, told_period=provider.told_period)
        call = call_to(target, account, wire, characters)
        answer, reason, status = await _sent(dispatcher, call, timed)
        heard = timed.heard or Heard(0.0, None, None)
        return self._event(target, characters, answer, reason, status, heard, worst)

    def _gate(self, account: Account, target: ProbeTarget) -> Limits:
        """The limits are the account's, whichever of its models is asked."""
        provider = target.candidate.provider
        key = (account.provider, account.base_url)
        if key not in self.gates:
            self.gates[key] = Limits(declared(Options(), provider), concurrency=provider.concurrency)
        return self.gates[key]

    def _event(
        self, target: ProbeTarget, characters: int, answer: Paid | None, reason: str | None, status: int | None,
        heard: Heard, worst: float,
    ) -> HealthEvent:  # fmt: skip
        price, seconds = target.price, heard.seconds
        prompt = answer.prompt_tokens if answer else None
        written = answer.completion_tokens if answer else None
        cost = worst if reason in _UNHEARD else 0.0
        if answer is not None or reason is None:
            counted = price.cost(prompt, written) if price and prompt is not None and written is not None else worst
            told = answer.cost if answer else None
            cost = counted if told is None else told
        return blank(target, self.now())._replace(
            prompt_characters=characters,
            prompt_tokens=prompt,
            completion_tokens=written,
            ok=reason is None,
            error_kind=reason,
            http_status=status if reason else None,
            first_token_ms=None if heard.first_token is None or reason else heard.first_token * 1000,
            latency_ms=None if reason and not seconds else seconds * 1000,
            tokens_per_second=written / seconds if written and seconds and target.kind != "embedding" else None,
            cost_usd=cost,
        )


@dataclass(slots=True)
class ProbeBooks:
    """What was paid for a probe, which is sent once, if that is known. A Bookkeeper."""

    timed: Timed
    paid: Paid | None = None

    def stopped(self) -> JobPaused | None:
        """Stop the dispatcher from retrying a probe that was refused."""
        return JobPaused("asked once") if self.timed.heard is not None else None

    async def reserve(self) -> None:
        """Do nothing: the whole probe is reserved already."""

    async def record(self, call: Call, reply: Reply, attempts: int, latency_ms: int) -> None:
        """Do nothing: the event records what was paid."""

    def count(self, exchange: Exchange) -> None:
        """Keep what the provider answered, of use or not."""
        self.paid = exchange.paid

    def expect(self, late: "asyncio.Task[None]") -> None:
        """Do nothing: a probe is never hedged."""


async def _sent(dispatcher: Dispatcher, call: Call, timed: Timed) -> tuple[Paid | None, str | None, int | None]:
    """Send a probe once; return its answer, or what went wrong, with the status."""
    books = ProbeBooks(timed)
    try:
        return (await dispatcher.send(call, "probe", books)).answer, None, None
    except RouteDown as error:
        failed = error.exhausted
        return books.paid, failed.reason if failed else error.kind, failed.status if failed else None
    except CallFailed as error:
        # A model that reasons has no word ready yet, but it did answer.
        return books.paid, None if error.reason in WORDLESS else error.reason, error.status
    except (JobPaused, RouteUnavailable) as error:
        status = timed.heard.status if timed.heard else None
        return books.paid, f"http_{status}" if type(error) is JobPaused else error.kind, status


def blank(target: ProbeTarget, at: datetime) -> HealthEvent:
    """Return an event of a route of which nothing was asked."""
    price = target.price
    return HealthEvent(
        at, "probe", target.provider, target.model, target.kind, None, None, None, False, None, None, None, None, None,
        0.0, price.input if price else None, price.output if price else None, target.context,
    )  # fmt: skip


def prompt_of(characters: int, nonce: str) -> str:
    """Return a prompt of so many characters, whose first words no cache has."""
    head, end = f"Probe {nonce}. ", "Answer with one word: ready."
    text, number = head, 0
    while len(text) < characters - len(end):
        number += 1
        text += _SENTENCE.format(number=number, mark=number * 7919 % 97)
    return text[: max(len(head), characters - len(end))] + end


def call_to(target: ProbeTarget, account: Account, wire: Wire, characters: int) -> Call:
    """Return the request of a probe."""
    prompt, candidate = prompt_of(characters, f"{time.time_ns():x}"), target.candidate
    most, inputs = (0, 1) if target.kind == "embedding" else (MOST_TOKENS, 0)
    if target.kind == "embedding":
        path, body = wire.embedding(Embedding(candidate.id, (prompt,), upstream=candidate.upstream))
    else:
        turns, extras = (Message("user", prompt),), candidate.provider.extras
        path, body = wire.completion(Completion(candidate.id, turns, most, candidate.upstream, extras=extras))
        body = wire.streamed(body) if wire.streams else body
    return build_call(account, (path, body), prompt_tokens=_most_tokens(characters), max_tokens=most, inputs=inputs)


def worst_case(target: ProbeTarget, characters: int) -> float | None:
    """Return the most that a probe may cost, in USD; None where the price isn't known."""
    answer = 0 if target.kind == "embedding" else MOST_TOKENS
    return target.price.cost(_most_tokens(characters), answer) if target.price else None


def unfit(target: ProbeTarget, characters: int) -> str | None:
    """Return why a prompt of so many characters may not fit; None if it certainly does, or the window isn't known."""
    model = target.candidate.model
    window = min(filter(None, (target.context, model.tokens_per_input if model else None)), default=None)
    if window is None or characters // 2 + TEMPLATE_TOKENS + MOST_TOKENS <= window:
        return None
    return f"{characters:,} characters may be more than its window of {window:,} tokens"


def _most_tokens(characters: int) -> int:
    """No token of plain English is less than a character."""
    return characters + TEMPLATE_TOKENS


async def probe_all(prober: Prober, targets: Sequence[ProbeTarget], sizes: Sequence[int]) -> list[Outcome]:
    """Probe all routes side by side, each size of one after the other."""

    async def one(target: ProbeTarget) -> list[Outcome]:
        return [await prober.probe(target, size) for size in sizes]

    return [outcome for found in await asyncio.gather(*map(one, targets)) for outcome in found]
