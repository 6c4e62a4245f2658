"""A rate of which this process holds only what it has leased; nothing here blocks."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tasks.dispatch.limits.leases import Lease, RateRequest, late_of
from tasks.dispatch.limits.rate import Rate, Taken
from tasks.providers.effective_limits import MINUTE
from tasks.providers.rate_limit_headers import Unit

# What was spent in the last seconds will be spent again: it is leased before anybody waits for it.
FOLLOWS, FORESEEN = 0.5, 1.0


@dataclass(slots=True)
class _Slots:
    """Leased units; the first one's time is `at`, on this process's clock."""

    at: float
    amount: float
    step: float


class SharedRate(Rate):
    """A rate that is leased in blocks; `delay` calls `wake` where too little is left."""

    def __init__(self, unit: Unit, limit: float, period: float = MINUTE) -> None:
        super().__init__(unit, limit, period)
        self.key = f"{unit} {period:g}"
        self.wake: Callable[[], None] = lambda: None
        self._late = late_of(period)
        self._stock: deque[_Slots] = deque()
        self._left = self._owed = self._spent = self._speed = 0.0

    def delay(self, amount: float, now: float) -> float:
        """Return the seconds until `amount` may be taken; infinite where more must be leased first."""
        self._expire(now)
        if self._left < amount:
            self.wake()
            return math.inf
        return max(0.0, self._stock[0].at - now)

    def take(self, amount: float, now: float) -> Taken:
        """Take `amount` from what is leased; call it only where `delay` said 0."""
        self._spent += amount
        self._use(amount)
        return super().take(amount, now)

    def settle(self, one: Taken, used: float, now: float) -> None:
        """Record what was used; the unused rest may be leased again by any job."""
        if one.at > now - self._window:
            self._owed += used - one.amount * self._share
        super().settle(one, used, now)

    def wish(self, waiting: float, least: float, now: float, since: float) -> RateRequest:
        """Return what to lease for waiting calls and those expected soon; the last request was `since` seconds ago."""
        self._expire(now)
        self._forget(now)
        self._speed += FOLLOWS * (self._spent / max(since, 0.05) - self._speed)
        want = max(0.0, math.ceil(waiting + FORESEEN * self._speed - self._left))
        owed, self._spent, self._owed = self._owed, 0.0, 0.0
        if self.unit == "requests":
            return RateRequest(self.unit, self.limit, self.period, want, min(want, max(0.0, least - self._left)))
        held, short = max(0.0, self._sum) + self._left, max(0.0, least - self._left)
        return RateRequest(self.unit, self.limit, self.period, want, min(want, short), self._share, owed, held)

    def add(self, lease: Lease, offset: float) -> None:
        """Take in a lease; `offset` is our clock over the book's."""
        if lease.amount:
            self._stock.append(_Slots(lease.start + offset, lease.amount, lease.step))
            self._left += lease.amount

    def clear(self) -> None:
        """Drop what is leased."""
        self._stock.clear()
        self._left = self._owed = 0.0

    def _expire(self, now: float) -> None:
        """Drop the units whose time is over."""
        while self._stock:
            first = self._stock[0]
            over = now - self._late - first.at
            if over <= 0:
                return
            lost = min(first.amount, math.ceil(over / first.step))
            self._owed -= lost * self._share
            self._use(lost)

    def _use(self, amount: float) -> None:
        self._left -= amount
        while amount > 0:
            first = self._stock[0]
            part = min(amount, first.amount)
            first.at += part * first.step
            first.amount -= part
            amount -= part
            if first.amount <= 0:
                self._stock.popleft()
