"""Callers of one route in virtual time, and a provider that counts what arrives."""

import asyncio
import bisect
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.dispatch.limits.gate import Grant, Limits
from tasks.dispatch.limits.rate import Demand
from tasks.providers.rate_limit_headers import advertised_limits
from tests.quota import Allowance, Quota
from tests.virtual import run_virtually

# As the dispatcher does: headers are read so often.
TOLD_SECONDS = 0.25
ONE = Demand(100, 100)

Change = Callable[[Quota], None]


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Traffic:
    """What the callers sent, and when each was answered or refused."""

    limits: Limits
    sent: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def answers(self, begin: float, end: float) -> int:
        return bisect.bisect_left(self.answered, end) - bisect.bisect_left(self.answered, begin)

    @property
    def refused_share(self) -> float:
        return len(self.refused) / max(1, len(self.refused) + len(self.answered))


@dataclass
class Road:
    """The way to a provider: its quota, and how its headers are read.

    A call takes `latency` (and up to `jitter`) until it is refused or not, and `work`
    more until it is answered; the share `unlucky` is refused whatever the quota says.
    """

    quota: Quota
    latency: float = 0.3
    jitter: float = 0.0
    work: float = 0.0
    told_period: float = 60.0
    unlucky: float = 0.0
    demand: Demand = ONE
    luck: random.Random = field(default_factory=lambda: random.Random(1))
    told_at: float = -1.0

    async def exchange(self, traffic: Traffic) -> None:
        limits = traffic.limits
        grant = await limits.enter(self.demand)
        traffic.sent.append(now())
        await asyncio.sleep(self.latency + self.luck.random() * self.jitter)
        wait = self.quota.take(now(), self.demand.prompt, self.demand.answer)
        if wait is None and self.work:
            await asyncio.sleep(self.work)
        unlucky = wait is None and self.luck.random() < self.unlucky
        headers = {name.lower(): value for name, value in self.quota.headers(now(), wait, 1e9 + now()).items()}
        if wait is not None or now() - self.told_at >= TOLD_SECONDS:
            self.told_at = now()
            for told in advertised_limits(headers, period=self.told_period):
                limits.tell(told.unit, told.period, told.limit)
        self._judge(traffic, grant, headers, refused=wait is not None or unlucky)

    def _judge(self, traffic: Traffic, grant: Grant, headers: Mapping[str, str], *, refused: bool) -> None:
        asked = headers.get("retry-after")
        if refused:
            traffic.refused.append(now())
            traffic.limits.refused(grant, float(asked) if asked else None)
        else:
            traffic.answered.append(now())
            traffic.limits.accepted(grant)
        traffic.limits.leave(grant, None if refused else self.demand)


def drive(
    limits: Callable[[], Limits],
    road: Road,
    seconds: float,
    *,
    callers: int = 100,
    changes: Mapping[float, Change] | None = None,
) -> Traffic:
    """Let so many callers ask all the time; `changes` befall the quota at their seconds."""

    async def caller(traffic: Traffic) -> None:
        while True:
            await road.exchange(traffic)

    async def change(at: float, one: Change) -> None:
        await asyncio.sleep(at)
        one(road.quota)

    async def run() -> Traffic:
        traffic = Traffic(limits())
        work: list[Coroutine[Any, Any, None]] = [caller(traffic) for _ in range(callers)]
        work += [change(at, one) for at, one in (changes or {}).items()]
        tasks = [asyncio.create_task(one) for one in work]
        await asyncio.sleep(seconds)
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return traffic

    return run_virtually(run())


def resize(amount: float) -> Change:
    """The limit of a quota's only allowance becomes `amount`."""

    def change(quota: Quota) -> None:
        (one,) = quota.allowances
        burst = None if one.burst is None else one.burst * amount / one.amount
        quota.allowances = (Allowance(one.unit, amount, one.period, one.kind, burst, one.settled),)

    return change
