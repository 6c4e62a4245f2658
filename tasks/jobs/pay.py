"""Send a call within the budget, and note what its answer cost."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from tasks.dispatch.dispatcher import Call, Delivered, Dispatcher, Paid
from tasks.dispatch.spending import Spending
from tasks.errors import JobStopped, RouteDown
from tasks.jobs.measure import Measures
from tasks.jobs.rows import Work
from tasks.ledger.ledger import Ledger
from tasks.providers.wire import Reply
from tasks.routing.route import Route


class Usage(NamedTuple):
    """What an answer took: tokens, as its row has them, and USD (None: not known)."""

    prompt_tokens: int
    completion_tokens: int
    cost: float | None


# What an answer took that was asked for so many times.
UsageOf = Callable[[Paid, int], Usage]
# Why a call isn't to be sent any more as it is.
Unwanted = Callable[[], JobStopped | None]


@dataclass(slots=True)
class Payer:
    """Pays for the calls of one route, for one job, on one event loop."""

    route: Route
    dispatcher: Dispatcher
    ledger: Ledger
    spending: Spending
    measures: Measures
    stopped: Callable[[], JobStopped | None]
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    # How many times the worst case the dearest answer cost.
    _dearer: float = 1.0
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def pay(
        self,
        work: Work,
        call: Call,
        usage_of: UsageOf,
        came: Callable[[], None] = lambda: None,
        unwanted: Unwanted = lambda: None,
    ) -> Delivered:
        """Ask the provider. With a budget the first call goes alone: its answer tells how the route counts.

        `came` is called just before a reply is recorded; `unwanted` says why a call isn't to
        be sent. Raises as `Dispatcher.send` does, and BudgetReached.
        """
        if self.spending.limit is None or self._heard.is_set():
            return await self._within_budget(work, call, usage_of, came, unwanted)
        async with self._alone:
            if not self._heard.is_set():
                delivered = await self._within_budget(work, call, usage_of, came, unwanted)
                self._heard.set()
                return delivered
        return await self._within_budget(work, call, usage_of, came, unwanted)

    def _why_not(self, unwanted: Unwanted) -> JobStopped | None:
        """Return why nobody is to be asked any more, or not so; just before a call is sent."""
        return unwanted() or self.stopped() or self.spending.overdrawn()

    async def _within_budget(
        self, work: Work, call: Call, usage_of: UsageOf, came: Callable[[], None], unwanted: Unwanted
    ) -> Delivered:
        price = self.route.price
        worst = price.cost(self.measures.latest.told(call.prompt_tokens), call.max_tokens) if price else 0.0
        worst *= self._dearer
        reserved = 2 * worst if self.dispatcher.hedge else worst
        await self.spending.reserve(reserved)
        cost = 0.0
        try:

            async def record(call: Call, reply: Reply, attempts: int, latency_ms: int) -> None:
                came()
                await self.ledger.record(
                    call, reply, attempts, latency_ms, document_id=work.document_id, route=self.route, worst=reserved
                )

            try:
                delivered = await self.dispatcher.send(call, work.document_id, record, lambda: self._why_not(unwanted))
            except RouteDown as error:
                if error.exhausted is not None:
                    work.exhausted[call.call_id] = error.exhausted
                    work.exhausted_at[self.route] = self.dispatcher.clock()
                raise
            usage = usage_of(delivered.answer, 2 if delivered.hedged else 1)
            self._note(call, work, delivered, usage)
            known = usage.cost
            cost = reserved if known is None else known
            if worst > 0:
                self._dearer = max(self._dearer, self._dearer * cost / reserved)
            self.ledger.costs(call.call_id, known)
        finally:
            await self.spending.settle(reserved, cost)
        return delivered

    def _note(self, call: Call, work: Work, delivered: Delivered, usage: Usage) -> None:
        self.dispatcher.notes.observer.note(
            "call answered",
            call_id=call.call_id,
            document_id=work.document_id,
            attempt=delivered.attempts,
            latency_ms=delivered.latency_ms,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost_usd=usage.cost,
            hedged=delivered.hedged,
        )


@dataclass(slots=True)
class Paying:
    """What asks one route, and pays for it."""

    payer: Payer

    @property
    def route(self) -> Route:
        """The route that is asked."""
        return self.payer.route

    @property
    def dispatcher(self) -> Dispatcher:
        """What sends the calls there."""
        return self.payer.dispatcher
