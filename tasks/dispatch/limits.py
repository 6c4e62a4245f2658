"""The rate limits of one route, shared by all its callers.

A limit holds in any window, so it isn't a full bucket that may be emptied twice
around the minute's turn: grants are paced evenly (the generic cell rate
algorithm's idea, ITU-T I.371) and the last minute's sum is never above the limit.
Callers are served in their order, one waiting at a time: no thundering herd.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tasks.errors import SetAside

# A little over a minute: what we send is counted when it arrives.
MINUTE = 60.25
LOOK_AGAIN = 0.25

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class Grant:
    """What one call took from a limit, and when."""

    at: float
    amount: float


class MinuteLimit:
    """At most `limit` units (requests or tokens) in any minute, evenly paced."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._grants: deque[Grant] = deque()
        self._sum = 0.0
        self._next = 0.0

    def delay(self, amount: float, now: float) -> float:
        """Return the seconds until `amount` may be taken; 0 for now."""
        while self._grants and self._grants[0].at <= now - MINUTE:
            self._sum -= self._grants.popleft().amount
        wait = max(0.0, self._next - now)
        over = self._sum + amount - self.limit
        for grant in self._grants:
            if over <= 0:
                break
            over -= grant.amount
            wait = max(wait, grant.at + MINUTE - now)
        return wait

    def take(self, amount: float, now: float) -> Grant:
        """Take `amount`; call it only where `delay` said 0."""
        grant = Grant(now, amount)
        self._grants.append(grant)
        self._sum += amount
        self._next = max(self._next, now) + amount * 60 / self.limit
        return grant

    def settle(self, grant: Grant, used: float, now: float) -> None:
        """Give back what was reserved and not used, or book what was used beyond."""
        if grant.at > now - MINUTE:
            difference = grant.amount - used
            grant.amount = used
            self._sum -= difference
            self._next -= difference * 60 / self.limit


class Limits:
    """Requests a minute, tokens a minute and calls in flight of one route."""

    def __init__(
        self,
        *,
        requests: int | None,
        tokens: int | None,
        concurrency: int,
        clock: Clock = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._requests = MinuteLimit(requests) if requests else None
        self._tokens = MinuteLimit(tokens) if tokens else None
        self._flight = asyncio.Semaphore(concurrency)
        self._turn = asyncio.Lock()
        self._paused_until = 0.0
        self._clock, self._sleep = clock, sleep

    async def enter(self, tokens: int) -> Grant | None:
        """Wait for a place in flight and for `tokens` (prompt and the answer's most).

        Raises SetAside where `tokens` is more than a whole minute's limit: it would
        wait for ever.
        """
        if self._tokens and tokens > self._tokens.limit:
            message = f"a call of {tokens} tokens is over the limit of {self._tokens.limit:.0f} a minute: raise --tpm"
            raise SetAside("over_rate_limit", message)
        await self._flight.acquire()
        try:
            async with self._turn:
                return await self._granted(tokens)
        except BaseException:
            self._flight.release()
            raise

    async def _granted(self, tokens: int) -> Grant | None:
        while (wait := self._wait(tokens)) > 0:
            # What others give back meanwhile shortens the wait: look again.
            await self._sleep(min(wait, LOOK_AGAIN))
        now = self._clock()
        if self._requests:
            self._requests.take(1, now)
        return self._tokens.take(tokens, now) if self._tokens else None

    def _wait(self, tokens: int) -> float:
        now = self._clock()
        waits = [self._paused_until - now]
        if self._requests:
            waits.append(self._requests.delay(1, now))
        if self._tokens:
            waits.append(self._tokens.delay(tokens, now))
        return max(waits)

    def leave(self, grant: Grant | None, used: int | None) -> None:
        """Free the place in flight; settle the tokens where the usage is known."""
        if self._tokens and grant and used is not None:
            self._tokens.settle(grant, used, self._clock())
        self._flight.release()

    def pause(self, seconds: float) -> None:
        """Let no caller of the route go on before `seconds` have passed."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)
