"""Limits hold in any window, are used to the full, and serve callers in their order."""

import asyncio
import heapq
import itertools
import random
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.dispatch.limits import Grant, Limits
from tasks.errors import SetAside

T = TypeVar("T")


class Time:
    """A clock that moves on only where everybody waits for it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), woken))
        await woken

    def run(self, work: Coroutine[Any, Any, T], until: float = float("inf")) -> T | None:
        """Run to the end, or up to so many seconds from now (then None)."""
        return asyncio.run(self._run(work, self.now + until))

    async def _run(self, work: Coroutine[Any, Any, T], end: float) -> T | None:
        task = asyncio.create_task(work)
        while not task.done():
            for _ in range(12):
                await asyncio.sleep(0)
            if task.done():
                break
            assert self._sleepers, "everybody waits and nobody sleeps: a deadlock"
            at, _, woken = heapq.heappop(self._sleepers)
            if at > end:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                return None
            self.now = max(self.now, at)
            if not woken.done():
                woken.set_result(None)
        return task.result()


@dataclass
class Sent:
    at: float
    reserved: int
    used: int
    done: float = float("inf")


@dataclass
class Caller:
    """Callers of one route that keep a log."""

    time: Time
    limits: Limits
    sent: list[Sent] = field(default_factory=list)
    in_flight: int = 0
    most: int = 0

    async def call(self, tokens: int, used: int, seconds: float) -> None:
        grant = await self.limits.enter(tokens)
        one = Sent(self.time.now, tokens, used)
        self.sent.append(one)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        if seconds:
            await self.time.sleep(seconds)
        self.in_flight -= 1
        one.done = self.time.now
        self.limits.leave(grant, used)


def limits_at(
    time: Time, *, requests: int | None = None, tokens: int | None = None, concurrency: int = 10_000
) -> Limits:
    return Limits(requests=requests, tokens=tokens, concurrency=concurrency, clock=time.clock, sleep=time.sleep)


calls = st.lists(st.tuples(st.integers(1, 1000), st.floats(0, 1), st.sampled_from([0.0, 0.3, 5.0, 70.0])), max_size=60)


@given(st.integers(1, 90), st.integers(1000, 8000), st.integers(1, 20), calls)
@settings(max_examples=60, deadline=None)
def test_no_window_of_a_minute_ever_holds_more_than_the_limits(
    requests: int, tokens: int, concurrency: int, asked: list[tuple[int, float, float]]
) -> None:
    time = Time()

    async def all_calls() -> Caller:
        caller = Caller(time, limits_at(time, requests=requests, tokens=tokens, concurrency=concurrency))
        await asyncio.gather(*(caller.call(size, int(size * share), wait) for size, share, wait in asked))
        return caller

    caller = time.run(all_calls())
    assert caller is not None
    assert len(caller.sent) == len(asked)
    assert caller.most <= concurrency
    for last in caller.sent:
        window = [one for one in caller.sent if last.at - 60 <= one.at <= last.at]
        assert len(window) <= requests
        assert sum(one.used if one.done <= last.at else one.reserved for one in window) <= tokens


@pytest.mark.parametrize(
    ("requests", "tokens", "size"), [(60, None, 1), (600, None, 1), (None, 100_000, 2000), (3000, 60_000, 1500)]
)
def test_five_busy_minutes_use_at_least_97_percent_of_the_limit(
    requests: int | None, tokens: int | None, size: int
) -> None:
    time, sent = Time(), []

    async def busy() -> None:
        caller = Caller(time, limits_at(time, requests=requests, tokens=tokens))
        sent.append(caller)
        await asyncio.gather(*(caller.call(size, size, 0.0) for _ in range(4000)))

    time.run(busy(), until=300)
    got, most = len(sent[0].sent), min((requests or 1e9), (tokens or 1e12) / size) * 5
    assert 0.97 * most <= got <= most + 1


def test_unequal_calls_use_the_token_limit_to_97_percent_too() -> None:
    time, sent, luck = Time(), [], random.Random(7)

    async def busy() -> None:
        caller = Caller(time, limits_at(time, tokens=200_000))
        sent.append(caller)
        sizes = [luck.randint(200, 4000) for _ in range(900)]
        await asyncio.gather(*(caller.call(size, size, 0.0) for size in sizes))

    time.run(busy(), until=300)
    assert sum(one.used for one in sent[0].sent) >= 0.97 * 5 * 200_000


@given(st.lists(st.integers(1, 900), min_size=2, max_size=25), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_callers_are_served_in_the_order_in_which_they_came(sizes: list[int], concurrency: int) -> None:
    time, order = Time(), []

    async def all_calls() -> None:
        limits = limits_at(time, requests=60, tokens=1000, concurrency=concurrency)

        async def call(number: int, size: int) -> None:
            grant = await limits.enter(size)
            order.append(number)
            await time.sleep(0.1)
            limits.leave(grant, None)

        await asyncio.gather(*(call(number, size) for number, size in enumerate(sizes)))

    time.run(all_calls())
    assert order == list(range(len(sizes)))


def test_calls_are_paced_evenly_and_not_let_out_in_a_burst() -> None:
    time = Time()

    async def some() -> Caller:
        caller = Caller(time, limits_at(time, requests=60))
        await asyncio.gather(*(caller.call(1, 1, 0.0) for _ in range(30)))
        return caller

    caller = time.run(some())
    assert caller is not None
    gaps = [after.at - before.at for before, after in itertools.pairwise(caller.sent)]
    assert min(gaps) == pytest.approx(1.0)


def test_a_pause_holds_every_caller_even_one_that_waits_already() -> None:
    time = Time()

    async def some() -> tuple[float, list[float]]:
        limits = limits_at(time, requests=600)
        caller = Caller(time, limits)
        await caller.call(1, 1, 0.0)
        waiting = [asyncio.create_task(caller.call(1, 1, 0.0)) for _ in range(5)]
        await asyncio.sleep(0)
        limits.pause(20)
        limits.pause(3)  # a shorter one doesn't end the longer one
        began = time.now
        await asyncio.gather(*waiting)
        return began, [one.at for one in caller.sent[1:]]

    got = time.run(some())
    assert got is not None
    began, times = got
    assert len(times) == 5
    assert min(times) >= began + 20
    assert max(times) < began + 22


def test_a_call_larger_than_a_minute_is_set_aside_at_once() -> None:
    time = Time()

    async def one() -> None:
        limits = limits_at(time, tokens=1000, concurrency=1)
        with pytest.raises(SetAside, match=r"1001 tokens .* 1000 a minute.*--tpm") as caught:
            await limits.enter(1001)
        assert caught.value.reason == "over_rate_limit"
        assert await limits.enter(1000) is not None  # it kept no place in flight

    time.run(one())
    assert time.now == 1000.0


def test_tokens_that_were_not_used_are_given_back() -> None:
    time = Time()

    async def twenty() -> None:
        caller = Caller(time, limits_at(time, tokens=1000, concurrency=1))
        for _ in range(20):
            await caller.call(500, 10, 0.0)

    time.run(twenty())
    assert time.now - 1000 < 20 * 10 * 60 / 1000 + 1  # at the pace of what was used


def test_tokens_of_a_call_whose_use_is_unknown_stay_booked() -> None:
    time = Time()

    async def two() -> None:
        limits = limits_at(time, tokens=1000)
        limits.leave(await limits.enter(1000), None)
        await limits.enter(1000)

    time.run(two())
    assert time.now >= 1060


def test_a_caller_that_is_cancelled_while_it_waits_leaves_its_place_to_the_next() -> None:
    time = Time()

    async def some() -> Grant | None:
        limits = limits_at(time, tokens=1000, concurrency=2)
        await limits.enter(1000)
        waiting = asyncio.create_task(limits.enter(1000))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return await limits.enter(500)

    assert time.run(some()) is not None


def test_without_limits_only_the_calls_in_flight_are_held() -> None:
    time = Time()

    async def some() -> Caller:
        caller = Caller(time, limits_at(time, concurrency=3))
        await asyncio.gather(*(caller.call(10**9, 1, 1.0) for _ in range(9)))
        return caller

    caller = time.run(some())
    assert caller is not None
    assert caller.most == 3
    assert time.now == pytest.approx(1003)
