"""Several jobs of one account in virtual time, and the book that they share."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.base.errors import StorageFailed
from tasks.dispatch.limits.gate import Limits
from tasks.dispatch.limits.lease_client import Leaser
from tasks.dispatch.limits.leased_rate import SharedRate
from tasks.dispatch.limits.leases import LeaseRequest, Leases, QuotaBook, allocate
from tasks.dispatch.limits.rate import Demand
from tasks.providers.rate_limit_headers import Unit
from tests.dispatch.traffic import now
from tests.virtual import run_virtually

ONE = Demand(1, 0)


@dataclass
class Sent:
    """One call: when it was sent and done, what it reserved and used, and whose it was."""

    at: float
    asked: Demand
    used: Demand
    done: float = float("inf")
    job: int = 0

    def counts(self, unit: Unit, at: float) -> int:
        """What a provider has booked for it at a time."""
        return self.used.of(unit) if self.done <= at else self.asked.of(unit)


@dataclass
class Shared:
    """A book that takes `latency` to trade with, and isn't to be reached while it is `away`."""

    latency: float = 0.005
    book: QuotaBook = field(default_factory=QuotaBook)
    away: bool = False
    trades: int = 0

    async def exchange(self, ask: LeaseRequest) -> Leases:
        await asyncio.sleep(self.latency)
        if self.away:
            raise StorageFailed("the book is away")
        self.trades += 1
        # Another clock than the jobs': theirs tells nothing here.
        leases = allocate(self.book, ask, 1e6 + now())
        await asyncio.sleep(self.latency)
        return leases


@dataclass
class Worker:
    """One job, which asks with so many callers, each pausing between its calls."""

    number: int
    limits: Limits
    leaser: Leaser
    shared: Shared
    callers: int
    pause: float = 0.0
    demand: Demand = ONE
    used: Demand | None = None
    seconds: float = 0.3
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def start(self, sent: list[Sent]) -> None:
        self.tasks = [asyncio.create_task(self._ask(sent)) for _ in range(self.callers)]
        self.tasks.append(asyncio.create_task(self.leaser.run()))

    async def _ask(self, sent: list[Sent]) -> None:
        while True:
            grant = await self.limits.enter(self.demand)
            one = Sent(now(), self.demand, self.used or self.demand, job=self.number)
            sent.append(one)
            try:
                await asyncio.sleep(self.seconds)
            finally:
                one.done = now()
            self.limits.leave(grant, one.used)
            await asyncio.sleep(self.pause)

    async def kill(self) -> None:
        """End at once, and say goodbye to nobody."""
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            if task.done():
                task.result()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


Declared = Sequence[tuple[Unit, float, float]]
Event = Callable[[list[Worker]], object]


def worker(number: int, shared: Shared, declared: Declared, concurrency: int = 100, **words: Any) -> Worker:
    limits = Limits([SharedRate(*one) for one in declared], concurrency=concurrency)
    troubles: list[str] = []
    luck = iter(lambda: (number * 0.37 + now() * 0.61) % 1, None)
    leaser = Leaser(limits, shared.exchange, f"job {number}", troubles.append, lambda: next(luck))
    one = Worker(number, limits, leaser, shared, callers=50, troubles=troubles)
    for name, value in words.items():
        setattr(one, name, value)
    return one


def work(
    make: Callable[[], list[Worker]], seconds: float, events: Mapping[float, Event] | None = None
) -> tuple[list[Sent], list[Worker]]:
    """Let jobs work side by side for so many seconds; `events` happen to them at their times."""

    async def run() -> tuple[list[Sent], list[Worker]]:
        sent: list[Sent] = []
        workers = make()
        for one in workers:
            one.start(sent)
        began = now()
        for at, event in sorted((events or {}).items()):
            await asyncio.sleep(began + at - now())
            result = event(workers)
            if asyncio.iscoroutine(result):
                await result
        await asyncio.sleep(began + seconds - now())
        for one in workers:
            await one.kill()
        return sent, workers

    return run_virtually(run())


def most_in_any_window(sent: Sequence[Sent], unit: Unit, period: float) -> int:
    """The most of any window when its last call was sent, as a provider counts."""
    most = first = 0
    for last in range(len(sent)):
        while sent[first].at <= sent[last].at - period:
            first += 1
        most = max(most, sum(one.counts(unit, sent[last].at) for one in sent[first : last + 1]))
    return most
