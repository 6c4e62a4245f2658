"""All limits of one route, shared by all its callers: rates, calls in flight, pauses.

Callers are served in their order. Nothing starts with a thundering herd: calls in
flight begin at START and grow by one with each reply, as TCP's slow start does
(RFC 5681, 3.1), so that learned limits are known before many calls are on the wire. They
grow only while somebody waits and at least half of the places stay in use (RFC 7661, 4.1),
and not while the event loop itself is late: more in flight would only queue up here.
"""

import asyncio
import itertools
import math
import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tasks.base.errors import CallRejected
from tasks.dispatch.limits.adaptive import AdaptiveRate
from tasks.dispatch.limits.rate import Demand, Rate, Taken
from tasks.providers.effective_limits import MINUTE
from tasks.providers.rate_limit_headers import Unit

START = 16
SOON = 0.6
LOOK_AGAIN = 0.25
HISTORY_SLOT = 0.5
WATCH_SECONDS, LATE_SECONDS = 0.05, 0.03

Clock = Callable[[], float]


@dataclass(slots=True)
class Grant:
    """Leave to send one call, and what it took from each rate."""

    at: float
    demand: Demand
    taken: list[tuple[Rate, Taken]]


@dataclass(slots=True)
class _Sent:
    """What was sent within half a second, for limits that are learned later; it counts as sent at its end."""

    began: float
    at: float = 0.0
    calls: int = 0
    prompt: int = 0
    answer: int = 0


class Limits:
    """The gate in front of one route; it belongs to one event loop, whose time it keeps."""

    def __init__(
        self,
        declared: Iterable[Rate] = (),
        *,
        concurrency: int,
        jitter: Callable[[], float] = random.random,
        clock: Clock | None = None,
    ) -> None:
        self.rates: dict[tuple[Unit, float], Rate] = {(rate.unit, rate.period): rate for rate in declared}
        self._declared = {key: rate.limit for key, rate in self.rates.items()}
        self.concurrency = concurrency
        self.learned = AdaptiveRate()
        self.in_flight = 0
        # What held up the latest call that had to wait.
        self.held_by = ""
        self._most = min(concurrency, START)
        self._paused_until = -math.inf
        self._waiting: deque[tuple[Demand, asyncio.Future[Grant]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._history: deque[_Sent] = deque()
        self._may_grow, self._watching, self._least = True, False, 0
        self._jitter, self._clock = jitter, clock

    def now(self) -> float:
        """Return the time of the clock, or of the running event loop."""
        return self._clock() if self._clock else asyncio.get_running_loop().time()

    async def enter(self, demand: Demand) -> Grant:
        """Wait for a place in flight and for the rates.

        Raises CallRejected where the call is more than a rate's whole window holds: it
        would wait for ever.
        """
        self._refuse_oversize(demand)
        if not self._waiting and self._wait(demand) == 0:
            return self._grant(demand)
        future: asyncio.Future[Grant] = asyncio.get_running_loop().create_future()
        self._waiting.append((demand, future))
        self._serve()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.leave(future.result(), Demand(0, 0))
            raise

    def leave(self, grant: Grant, used: Demand | None) -> None:
        """Free the place in flight; settle the tokens where the usage is known."""
        self.in_flight -= 1
        self._least = min(self._least, self.in_flight)
        if self._waiting and self._may_grow:
            self._most = min(self.concurrency, self._most + 1)
        if used is not None and grant.taken:
            now = self.now()
            for rate, taken in grant.taken:
                if rate.unit != "requests":
                    rate.settle(taken, used.of(rate.unit), now)
        if self._waiting:
            self._serve()

    @property
    def wants_more(self) -> bool:
        """Whether the waiting calls will soon be sent, so that more may be queued."""
        paces = (rate.limit / rate.period for rate in self.rates.values() if rate.unit == "requests")
        return len(self._waiting) < max(2.0, min(SOON * min(paces, default=math.inf), self._most))

    def accepted(self, grant: Grant) -> None:
        """Learn that a call wasn't refused."""
        self.learned.accepted(grant.at, self.now())

    def refused(self, grant: Grant, retry_after: float | None) -> float:
        """Learn from a refused call and pause everybody; return the seconds."""
        wait = self.learned.refused(grant.at, self.now(), retry_after, self._jitter())
        self.pause(wait)
        return wait

    def allow(self, places: int) -> None:
        """Set how many calls may be in flight, and let waiting calls go if there is room."""
        self.concurrency = places
        self._most = min(places, max(self._most, START))
        if self._waiting:
            self._serve()

    def waiting(self) -> list[Demand]:
        """Return the demands of the calls that only the rates hold up: the first ones, one for each free place."""
        free = self._most - self.in_flight
        return [demand for demand, future in itertools.islice(self._waiting, max(0, free)) if not future.done()]

    @property
    def flights(self) -> int:
        """How many calls are in flight, or wait."""
        return self.in_flight + len(self._waiting)

    def pause(self, seconds: float) -> None:
        """Let no caller of the route go on before `seconds` have passed."""
        self._paused_until = max(self._paused_until, self.now() + seconds)

    def tell(self, unit: Unit, period: float, limit: float) -> bool:
        """Apply a limit stated by the provider, but never above a declared one; return whether it is new or changed."""
        key = (unit, period)
        limit = min(limit, self._declared.get(key, math.inf))
        rate = self.rates.get(key)
        is_news = rate is None or rate.limit != limit
        if rate is None:
            rate = self.rates[key] = Rate(unit, limit, period)
            for sent in self._history:
                rate.remember(sent.at, sent.calls if unit == "requests" else Demand(sent.prompt, sent.answer).of(unit))
        rate.limit = limit
        return is_news

    def used(self, now: float) -> list[tuple[Unit, float, float]]:
        """Return each limit's unit and period, and the share of it that its last period used; from any thread."""
        return [(rate.unit, rate.period, rate.used(now)) for rate in tuple(self.rates.values())]

    def _refuse_oversize(self, demand: Demand) -> None:
        for rate in self.rates.values():
            # A limit of a second speaks of the average: one call may be more.
            if demand.of(rate.unit) > rate.limit and rate.period >= MINUTE:
                raise CallRejected(
                    "over_rate_limit",
                    f"a call of {demand.of(rate.unit)} {rate.unit} is over the limit of {rate.limit:.0f} in "
                    f"{rate.period:.0f} s: raise --tpm, or give a smaller --context or --max-output-tokens",
                )

    def _serve(self) -> None:
        """Let waiting calls go in their order, as far as the limits allow."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            demand, future = self._waiting[0]
            if not future.done():
                wait = self._wait(demand)
                if wait is None:
                    return  # the next one to leave serves
                if wait > 0:
                    loop = asyncio.get_running_loop()
                    # Calls that end meanwhile may shorten the wait, so check again soon.
                    self._timer = loop.call_later(min(wait, LOOK_AGAIN), self._serve)
                    return
                future.set_result(self._grant(demand))
            self._waiting.popleft()

    def _wait(self, demand: Demand) -> float | None:
        """Return the seconds until a call may go, or None until another leaves."""
        if self.in_flight >= self._most:
            self.held_by = "calls in flight"
            return None
        now = self.now()
        wait = max(self._paused_until - now, self.learned.delay(now), 0.0)
        if wait > 0:
            self.held_by = "pause" if self._paused_until - now == wait else "learned pace"
        for rate in self.rates.values():
            delay = rate.delay(min(demand.of(rate.unit), rate.limit), now)
            if delay > wait:
                wait, self.held_by = delay, rate.name
        return wait

    def _grant(self, demand: Demand) -> Grant:
        now = self.now()
        self.in_flight += 1
        if not self._watching:
            self._watching = True
            self._watch_later()
        self.learned.take(now)
        self._remember(demand, now)
        taken = [(rate, rate.take(min(demand.of(rate.unit), rate.limit), now)) for rate in self.rates.values()]
        return Grant(now, demand, taken)

    def _watch_later(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + WATCH_SECONDS
        loop.call_at(due, self._watch, due)

    def _watch(self, due: float) -> None:
        """Look whether the places were used and the event loop kept its time, again and again while there are calls."""
        late = asyncio.get_running_loop().time() - due > LATE_SECONDS
        self._may_grow = not late and self._least >= self._most / 2
        self._least = self.in_flight
        if self.in_flight:
            self._watch_later()
        else:
            self._watching = False

    def _remember(self, demand: Demand, now: float) -> None:
        history = self._history
        if not history or now - history[-1].began > HISTORY_SLOT:
            history.append(_Sent(now))
            while history[0].began < now - MINUTE - 2:
                history.popleft()
        last = history[-1]
        last.at = now
        last.calls += 1
        last.prompt += demand.prompt
        last.answer += demand.answer
