"""One rate limit: at most so many units in any window of its period.

A limit holds in any window, so it isn't a full bucket that may be emptied twice
around the minute's turn: grants are paced evenly (the generic cell rate
algorithm, ITU-T I.371) and the last period's sum is never above the limit.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from tasks.providers.effective_limits import MINUTE, SECOND
from tasks.providers.rate_limit_headers import Unit

# What we send is counted when it arrives: a window of ours is a little longer.
SLACK = 0.25
# A timer that fires late must not lower the rate: up to this many seconds are made up for.
TOLERANCE = 0.1
FOLLOWS = 0.05


class Demand(NamedTuple):
    """What a call asks of the limits: its prompt's tokens and its answer's most."""

    prompt: int
    answer: int

    def of(self, unit: Unit) -> int:
        """Return the amount in a unit."""
        if unit == "requests":
            return 1
        return (0 if unit == "output" else self.prompt) + (0 if unit == "input" else self.answer)


def slack_of(period: float) -> float:
    """Return the seconds by which a window of ours is longer."""
    return min(SLACK, period / 40)


@dataclass(slots=True)
class Taken:
    """What one call took from a limit, and when."""

    at: float
    amount: float


class Rate:
    """At most `limit` units in any `period` seconds, evenly paced."""

    def __init__(self, unit: Unit, limit: float, period: float = MINUTE) -> None:
        self.unit: Unit = unit
        self.limit, self.period = limit, period
        self.name = f"{unit} a {'minute' if period == MINUTE else 'second' if period == SECOND else f'{period:g} s'}"
        self._window = period + slack_of(period)
        self._taken: deque[Taken] = deque()
        self._sum = 0.0
        self._next = 0.0
        # The share of what is reserved that is used in the end: it sets the pace, but not the sum.
        self._share = 1.0

    def delay(self, amount: float, now: float) -> float:
        """Return the seconds until `amount` may be taken; 0 for now."""
        self._forget(now)
        wait = max(0.0, self._next - now)
        over = self._sum + amount - self.limit
        for one in self._taken:
            if over <= 0:
                break
            over -= one.amount
            wait = max(wait, one.at + self._window - now)
        return wait

    def take(self, amount: float, now: float) -> Taken:
        """Take `amount`; call it only where `delay` said 0."""
        one = Taken(now, amount)
        self._taken.append(one)
        self._sum += amount
        self._next = max(self._next, now - TOLERANCE) + amount * self._share * self.period / self.limit
        return one

    def settle(self, one: Taken, used: float, now: float) -> None:
        """Give back what was reserved and not used, or book what was used beyond."""
        if one.at > now - self._window:
            self._sum += used - one.amount
            self._next += (used - one.amount * self._share) * self.period / self.limit
            if one.amount:
                self._share += FOLLOWS * (used / one.amount - self._share)
            one.amount = used

    def used(self, now: float) -> float:
        """Return the share of the limit that the last period used; it changes nothing, so any thread may ask."""
        return sum(one.amount for one in tuple(self._taken) if one.at > now - self.period) / self.limit

    def remember(self, at: float, amount: float) -> None:
        """Count what was taken before the limit was known."""
        self._taken.append(Taken(at, amount))
        self._sum += amount

    def _forget(self, now: float) -> None:
        """Drop what was taken before the window."""
        taken, start = self._taken, now - self._window
        while taken and taken[0].at <= start:
            self._sum -= taken.popleft().amount
