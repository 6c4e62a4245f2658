"""One route for one job: send its calls within the budget, and count what each exchange cost once it is known."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, NamedTuple, Self

from tasks.base.errors import CallRejected, JobPaused, NotSent, RouteDown
from tasks.calls.call_context import DocumentProgress
from tasks.calls.progress import Meter
from tasks.calls.token_calibration import TokenCalibration
from tasks.dispatch.budget import Spending
from tasks.dispatch.dispatcher import Dispatcher
from tasks.dispatch.exchange import HEDGED, Exchange
from tasks.dispatch.exchanger import Delivered
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import PaidBeside
from tasks.models.route import Route
from tasks.providers.call import Call
from tasks.providers.protocol import Reply


class PaidUsage(NamedTuple):
    """The tokens of an exchange, as in its row, and its cost in USD (None: not known)."""

    prompt_tokens: int
    completion_tokens: int
    cost: float | None


# Puts down a paid exchange as rows of its documents, and returns what it took.
Note = Callable[[Exchange], PaidUsage]
# Why a call isn't to be sent any more as it is.
Unwanted = Callable[[], NotSent | None]


@dataclass(slots=True)
class RouteClient:
    """One route for one job, on one event loop: what is known of it, and its calls, paid for within the budget."""

    route: Route
    dispatcher: Dispatcher
    ledger: Ledger
    spending: Spending
    measures: TokenCalibration
    meter: Meter
    stopped: Callable[[], JobPaused | None]
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    # The highest ratio of an answer's cost to its expected worst case.
    _dearer: float = 1.0
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    def check(self) -> None:
        """Raise the reason once the job is stopped."""
        if (reason := self.stopped()) is not None:
            raise reason

    def paying(
        self,
        progress: DocumentProgress,
        call: Call,
        note: Note,
        came: Callable[[], None] = lambda: None,
        unwanted: Unwanted = lambda: None,
    ) -> "Payment":
        """Return the block in which the provider is asked; `came` and `unwanted` as in Payment."""
        return Payment(self, progress, call, note, came, unwanted)

    async def goes_alone(self) -> bool:
        """Wait until a call may go; whether it holds up the others until `heard_alone`.

        With a budget, the first call is sent alone: its answer shows how the route counts.
        """
        if self.spending.limit is None or self._heard.is_set():
            return False
        await self._alone.acquire()
        if not self._heard.is_set():
            return True
        self._alone.release()
        return False

    def heard_alone(self) -> None:
        """Let the others go."""
        self._alone.release()

    def worst(self, call: Call) -> float:
        """Return the most that one exchange may cost, in USD, by what is known of the route; 0 without a price."""
        price = self.route.price
        known = price.cost(self.measures.latest.told(call.prompt_tokens), call.max_tokens) if price else 0.0
        return known * self._dearer

    def learn(self, worst: float, cost: float) -> None:
        """Learn from what an exchange cost, for which so much was reserved."""
        self._heard.set()
        if worst > 0:
            self._dearer = max(self._dearer, self._dearer * cost / worst)


@dataclass(slots=True)
class Payment:
    """The accounts of one call: what is reserved for it, and what its exchanges cost. A Bookkeeper.

    It is the block in which the provider is asked; at its end the reservation is freed.
    `came` is called just before a reply is recorded; `unwanted` returns the reason if the
    call isn't to be sent.
    """

    client: RouteClient
    progress: DocumentProgress
    call: Call
    note: Note
    came: Callable[[], None]
    unwanted: Unwanted
    _worst: float = 0.0
    _held: float = 0.0
    _recorded: bool = False
    _is_alone: bool = False
    _late: "list[asyncio.Task[None]]" = field(default_factory=list)

    async def __aenter__(self) -> Self:
        """Wait until the call may go."""
        self._is_alone = await self.client.goes_alone()
        return self

    def send(self) -> Coroutine[Any, Any, Delivered]:
        """Ask the provider. Raises as `Dispatcher.send` does."""
        return self.client.dispatcher.send(self.call, self.progress.document_id, self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free what is reserved, and note how often the call was tried if its route is down."""
        if isinstance(error, RouteDown) and error.exhausted is not None:
            self.progress.exhausted[self.call.call_id] = error.exhausted
            self.progress.exhausted_at[self.client.route] = self.client.dispatcher.clock()
        try:
            await self._free()
        finally:
            if self._is_alone:
                self.client.heard_alone()

    def stopped(self) -> JobPaused | NotSent | None:
        """Return why nobody is to be asked any more, or not so; just before a call is sent."""
        return self.unwanted() or self.client.stopped() or self.client.spending.overdrawn()

    async def reserve(self) -> None:
        """Reserve the worst case of one more attempt; the cost of an earlier one is no longer reserved.

        The rest of an earlier reservation is freed first: two calls that hold some and wait for more would deadlock.
        """
        self._worst = self.client.worst(self.call)
        needed = (2 if self.client.dispatcher.exchanger.hedge else 1) * self._worst
        if needed > self._held:
            held, self._held = self._held, 0.0
            await self.client.spending.settle(held, 0.0)
            await self.client.spending.reserve(needed)
            self._held = needed

    def record(self, call: Call, reply: Reply, attempts: int, latency_ms: int) -> Awaitable[None]:
        """Make a reply durable; its cost is at its worst until it is counted."""
        self.came()
        self._recorded = True
        return self.client.ledger.record(
            call, reply, attempts, latency_ms,
            document_id=self.progress.document_id, route=self.client.route, worst=self._worst,
        )  # fmt: skip

    def count(self, exchange: Exchange) -> None:
        """Count an exchange: in the budget, in the ledger, and among its documents' rows."""
        if exchange.paid is None:
            self._lost(exchange)
            return
        usage = self.note(exchange)
        cost = self._worst if usage.cost is None else usage.cost
        self._book(cost)
        self.client.learn(self._worst, cost)
        self.client.meter.paid(usage.prompt_tokens, usage.completion_tokens, usage.cost)
        if exchange.error is None or is_kept(exchange):
            self.client.ledger.costs(self.call.call_id, usage.cost)
        else:
            self._pay_beside(exchange, usage)
        self._tell(exchange, usage)

    def expect(self, late: "asyncio.Task[None]") -> None:
        """Have the document wait for the slower of two requests."""
        self._late.append(late)
        self.progress.late.append(late)

    async def _free(self) -> None:
        """Free what is reserved, once nothing is under way any more."""
        if any(not late.done() for late in self._late):
            self.progress.late.append(asyncio.create_task(self._free_later()))
            return
        held, self._held = self._held, 0.0
        await self.client.spending.settle(held, 0.0)

    async def _free_later(self) -> None:
        await asyncio.gather(*self._late, return_exceptions=True)
        await self._free()

    def _book(self, cost: float, *, lost: bool = False) -> None:
        part = min(cost, self._held)
        self._held -= part
        self.client.spending.pay(cost, part, lost=lost)

    def _lost(self, exchange: Exchange) -> None:
        """Count an answer that was lost at the most it may have cost."""
        self._book(self._worst, lost=True)
        self.client.meter.lost(self._worst)
        self._pay_beside(exchange, PaidUsage(0, 0, None))

    def _pay_beside(self, exchange: Exchange, usage: PaidUsage) -> None:
        """Record in the ledger the cost of an exchange whose answer isn't stored, or will be replaced by another."""
        reason = exchange.error.reason if exchange.error else ""
        tokens = None if exchange.paid is None else (usage.prompt_tokens, usage.completion_tokens)
        served_by = getattr(exchange.paid, "served_by", None)
        beside = PaidBeside(
            self.call.call_id, self.progress.document_id, reason, tokens, usage.cost, self._worst, exchange.attempts,
            exchange.latency_ms, served_by, datetime.now(UTC),
        )  # fmt: skip
        self.client.ledger.pay_beside(beside)
        if self._recorded and reason != HEDGED:  # its reply is in the ledger too, until another takes its place
            self._recorded = False
            self.client.ledger.costs(self.call.call_id, 0.0)

    def _tell(self, exchange: Exchange, usage: PaidUsage) -> None:
        self.client.dispatcher.notes.observer.note(
            "call answered" if exchange.error is None else "call paid",
            call_id=self.call.call_id,
            document_id=self.progress.document_id,
            attempt=exchange.attempts,
            latency_ms=exchange.latency_ms,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost_usd=usage.cost,
            hedged=bool(self._late),
            error_kind=exchange.error.reason if exchange.error else None,
        )


def is_kept(exchange: Exchange) -> bool:
    """Whether the ledger keeps a paid but unusable answer for its call, so that the call isn't repeated."""
    error = exchange.error
    return isinstance(error, CallRejected) and error.paid is not None
