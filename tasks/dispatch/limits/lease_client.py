"""Lease ahead what one gate's callers need, and keep to the limits while the shared book can't be reached.

Meanwhile, this process leases from a book of its own: an equal share by the last known number of
holders, slightly reduced, and starting slightly later. So all of them together stay below the
limit, in whatever order they lose the shared book and reach it again.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

from tasks.base.errors import StorageFailed
from tasks.dispatch.limits.gate import START, Limits
from tasks.dispatch.limits.leased_rate import SharedRate
from tasks.dispatch.limits.leases import AHEAD, LeaseRequest, Leases, QuotaBook, allocate

Exchange = Callable[[LeaseRequest], Awaitable[Leases]]

EVERY, IDLE, SOONEST, LONGEST = 0.5, 2.0, 0.02, 2.0
# The book counts as unreachable once it hasn't answered for this long, in seconds.
PATIENCE = 1.5
# Leave room for jobs that have reached the book again while others haven't.
MARGIN, LATER = 0.9, 1.0
# For this long, no job takes more places than it had, so that jobs which had more can finish their calls.
DRAINING = 30.0
HEARD = 64


class Leaser:
    """Leases for one gate; it belongs to the gate's event loop."""

    def __init__(
        self,
        limits: Limits,
        exchange: Exchange,
        holder: str,
        trouble: Callable[[str], None],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._limits, self._exchange, self._holder = limits, exchange, holder
        self._trouble, self._jitter = trouble, jitter
        self._most = limits.concurrency
        self._woken, self._sated = asyncio.Event(), True
        self._asked_at = self._again = 0.0
        self._offsets: deque[float] = deque(maxlen=HEARD)
        self._holders = 1
        self._own: QuotaBook | None = None
        self._lost_at, self._had = 0.0, 0
        self._probe: asyncio.Future[Leases] | None = None
        self._has_said = False
        limits.allow(0)
        for rate in self._rates:
            rate.wake = self._wake

    async def run(self) -> None:
        """Lease again and again, until cancelled."""
        self._asked_at = self._limits.now()
        while True:
            await (self._alone() if self._own else self._together())
            busy = self._limits.flights or not self._sated
            pause = max((EVERY if busy else IDLE) * (0.6 + 0.8 * self._jitter()), min(self._again, LONGEST))
            with contextlib.suppress(TimeoutError):
                # Not `wait_for`: it may lose a cancellation.
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            self._woken.clear()
            await asyncio.sleep(max(0.0, self._asked_at + SOONEST - self._limits.now()))

    async def leave(self) -> None:
        """Give back what is leased, if the book can be reached."""
        if self._probe is not None:
            self._probe.cancel()
        rates = {rate.key: rate.wish(0.0, 0.0, self._limits.now(), 1.0) for rate in self._rates}
        ask = LeaseRequest(self._holder, rates, 0, 0, self._most, leaving=True)
        with contextlib.suppress(StorageFailed, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._exchange(_content(ask))

    @property
    def _rates(self) -> list[SharedRate]:
        return [rate for rate in self._limits.rates.values() if isinstance(rate, SharedRate)]

    def _wake(self) -> None:
        """Ask at once, unless the last answer was that there is no more for now."""
        if self._sated:
            self._woken.set()

    def _ask(self) -> LeaseRequest:
        limits, now = self._limits, self._limits.now()
        since, self._asked_at = now - self._asked_at, now
        waiting = limits.waiting()
        rates = {}
        for rate in self._rates:
            asked = [min(demand.of(rate.unit), rate.limit) for demand in waiting]
            rates[rate.key] = rate.wish(sum(asked), asked[0] if asked else 0.0, now, since)
        flights = min(self._most, max(2 * limits.in_flight, limits.flights) + START)
        return LeaseRequest(self._holder, rates, limits.in_flight, flights, self._most)

    async def _together(self) -> None:
        """Lease from the shared book."""
        ask = self._ask()
        exchange = asyncio.ensure_future(self._exchange(ask))
        try:
            await asyncio.wait({exchange}, timeout=PATIENCE)
            if not exchange.done():
                exchange.cancel()
                self._lose("their book doesn't answer")
            else:
                self._take(ask, exchange.result())
        except asyncio.CancelledError:
            exchange.cancel()
            raise
        except StorageFailed as error:
            self._lose(str(error))

    def _take(self, ask: LeaseRequest, leases: Leases, offset: float | None = None) -> None:
        if offset is None:
            # The quickest answer is the best measure of the other clock.
            self._offsets.append(self._limits.now() - leases.now)
            offset, self._holders = min(self._offsets), leases.holders
        for rate in self._rates:
            if rate.key in leases.rates:
                rate.add(leases.rates[rate.key], offset)
        self._sated = all(leases.rates[key].amount >= wish.want for key, wish in ask.rates.items())
        self._again = leases.again
        self._limits.allow(leases.places)

    def _lose(self, why: str) -> None:
        """Continue with a book of our own, which starts when all that was leased is used up."""
        self._lost_at = self._limits.now()
        self._had = self._limits.concurrency
        self._own = QuotaBook({rate.key: self._lost_at + AHEAD + LATER for rate in self._rates})
        self._offsets.clear()
        self._sated, self._again = True, 0.0
        if not self._has_said:
            self._has_said = True
            self._trouble(f"{why}: each job goes on with an equal share, of {self._holders}, until it is back")

    async def _alone(self) -> None:
        """Lease from a book of our own, and check whether the shared one can be reached again."""
        ask = self._ask()
        if self._probe is None:
            self._probe = asyncio.ensure_future(self._exchange(_content(replace(ask, apart=self._holders))))
        await asyncio.wait({self._probe}, timeout=EVERY / 2)
        if self._probe.done():
            probe, self._probe = self._probe, None
            if not probe.cancelled() and probe.exception() is None:
                self._return()
                return
            if not isinstance(probe.exception(), StorageFailed):
                probe.result()
        assert self._own is not None
        self._take(ask, allocate(self._own, self._shared(ask), self._limits.now()), offset=0.0)

    def _return(self) -> None:
        for rate in self._rates:
            rate.clear()
        self._own, self._again = None, 0.0
        self._woken.set()

    def _shared(self, ask: LeaseRequest) -> LeaseRequest:
        """Return the request with its limits reduced to our share."""
        share = 1 / self._holders
        rates = {key: replace(wish, limit=wish.limit * share * MARGIN) for key, wish in ask.rates.items()}
        most = max(1, int(self._most * share))
        if self._limits.now() < self._lost_at + DRAINING:
            most = min(most, self._had)
        return replace(ask, rates=rates, most=most)


def _content(ask: LeaseRequest) -> LeaseRequest:
    """Return the request without any wants."""
    return replace(ask, rates={key: replace(wish, want=0.0, least=0.0) for key, wish in ask.rates.items()})
