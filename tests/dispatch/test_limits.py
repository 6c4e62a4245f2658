"""Limits hold in any window, are used to the full, and serve callers in their order."""

import asyncio
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base.errors import CallRejected
from tasks.dispatch.limits.gate import START, Grant, Limits
from tasks.dispatch.limits.rate import Demand, Rate
from tasks.providers.effective_limits import MINUTE, SECOND
from tasks.providers.rate_limit_headers import Unit
from tests.dispatch.jobs import Sent
from tests.dispatch.traffic import Road, drive, now
from tests.quota import Allowance, Kind, Quota
from tests.virtual import run_virtually

KINDS: tuple[Kind, ...] = ("sliding", "fixed", "bucket")
UNITS: tuple[Unit, ...] = ("requests", "tokens", "input", "output")
LITTLE = Demand(1, 0)


@dataclass
class Caller:
    """Callers of one route that keep a log."""

    limits: Limits
    sent: list[Sent] = field(default_factory=list)
    in_flight: int = 0
    most: int = 0

    async def call(self, asked: Demand = LITTLE, used: Demand | None = None, seconds: float = 0.0) -> None:
        grant = await self.limits.enter(asked)
        one = Sent(now(), asked, used or asked)
        self.sent.append(one)
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        if seconds:
            await asyncio.sleep(seconds)
        self.in_flight -= 1
        one.done = now()
        self.limits.leave(grant, one.used)

    def most_in_any_window(self, unit: Unit, period: float, since: float = 0.0) -> int:
        """The most of any window when its last call was sent."""
        return max(
            (
                sum(one.counts(unit, last.at) for one in self.sent if last.at - period < one.at <= last.at)
                for last in self.sent
                if last.at >= since
            ),
            default=0,
        )


async def busy(limits: Limits, calls: Iterator[Demand], seconds: float, callers: int = 50) -> Caller:
    """Let some callers ask without a pause for so many seconds."""
    caller = Caller(limits)

    async def ask() -> None:
        for demand in calls:
            await caller.call(demand)

    tasks = [asyncio.create_task(ask()) for _ in range(callers)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return caller


ASKED = st.lists(
    st.tuples(
        st.integers(1, 500),
        st.integers(1, 500),
        st.floats(0, 1),
        st.sampled_from((0.0, 0.3, 5.0, 70.0)),
        st.floats(0, 9),
    ),
    max_size=50,
)


@given(
    st.integers(1, 90),
    st.dictionaries(st.sampled_from(("tokens", "input", "output")), st.integers(1000, 8000)),
    st.none() | st.integers(1, 5),
    st.integers(1, 20),
    ASKED,
)
@settings(max_examples=60, deadline=None)
def test_no_window_ever_holds_more_than_the_limits(
    requests: int,
    tokens: dict[Unit, int],
    per_second: int | None,
    concurrency: int,
    asked: list[tuple[int, int, float, float, float]],
) -> None:
    declared: list[tuple[Unit, float, int]] = [("requests", MINUTE, requests)]
    declared += [(unit, MINUTE, limit) for unit, limit in tokens.items()]
    if per_second is not None:
        declared.append(("requests", SECOND, per_second))

    async def all_calls() -> Caller:
        rates = [Rate(unit, limit, period) for unit, period, limit in declared]
        caller = Caller(Limits(rates, concurrency=concurrency))

        async def one(prompt: int, answer: int, share: float, seconds: float, later: float) -> None:
            await asyncio.sleep(later)
            await caller.call(Demand(prompt, answer), Demand(int(prompt * share), int(answer * share)), seconds)

        await asyncio.gather(*(one(*words) for words in asked))
        return caller

    caller = run_virtually(all_calls())
    assert len(caller.sent) == len(asked)
    assert caller.most <= concurrency
    for unit, period, limit in declared:
        assert caller.most_in_any_window(unit, period) <= limit


@pytest.mark.parametrize("jitter", [0.0, 0.2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_declared_limit_is_used_to_98_percent_without_a_refusal(kind: Kind, jitter: float) -> None:
    """Whatever way the provider counts, and though calls arrive a little late."""
    road = Road(Quota([Allowance("requests", 1200, kind=kind)]), jitter=jitter)
    traffic = drive(lambda: Limits([Rate("requests", 1200)], concurrency=100), road, 180 + 0.5)
    assert traffic.refused == []
    assert 0.98 * 3600 <= len(traffic.answered) <= 3600 + 10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", ["tokens", "input", "output"])
def test_declared_tokens_are_used_to_97_percent_without_a_refusal(unit: Unit, kind: Kind) -> None:
    demand = Demand(1500, 500)
    road = Road(Quota([Allowance(unit, 600_000, kind=kind)]), demand=demand)
    traffic = drive(lambda: Limits([Rate(unit, 600_000)], concurrency=300), road, 180.5, callers=200)
    assert traffic.refused == []
    most = 3 * 600_000 / demand.of(unit)
    assert 0.97 * most <= len(traffic.answered) <= most + 10


@pytest.mark.parametrize(
    ("requests", "tokens", "size"), [(60, None, 1), (600, None, 1), (None, 100_000, 2000), (3000, 60_000, 1500)]
)
def test_five_busy_minutes_use_at_least_97_percent_of_the_limit(
    requests: int | None, tokens: int | None, size: int
) -> None:
    async def some() -> Caller:
        given_limits: list[tuple[Unit, int | None]] = [("requests", requests), ("tokens", tokens)]
        rates = [Rate(unit, limit) for unit, limit in given_limits if limit is not None]
        return await busy(Limits(rates, concurrency=10_000), itertools.repeat(Demand(size, 0)), 300)

    got, most = len(run_virtually(some()).sent), min((requests or 1e9), (tokens or 1e12) / size) * 5
    assert 0.97 * most <= got <= most + 1


def test_unequal_calls_use_the_token_limit_to_97_percent_too() -> None:
    luck = random.Random(7)

    async def some() -> Caller:
        sizes = (Demand(luck.randint(200, 4000), 0) for _ in itertools.count())
        return await busy(Limits([Rate("tokens", 200_000)], concurrency=100), sizes, 300)

    assert sum(one.used.prompt for one in run_virtually(some()).sent) >= 0.97 * 5 * 200_000


def test_answers_shorter_than_their_most_use_the_token_limit_to_97_percent_too() -> None:
    """A tenth of what is reserved is used: the pace goes by that, and only calls in flight hold the rest."""

    async def some() -> Caller:
        caller = Caller(Limits([Rate("tokens", 300_000)], concurrency=100))

        async def ask() -> None:
            while True:
                await caller.call(Demand(1000, 1000), Demand(150, 50), 0.1)

        tasks = [asyncio.create_task(ask()) for _ in range(100)]
        await asyncio.sleep(300)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return caller

    caller = run_virtually(some())
    assert caller.most_in_any_window("tokens", MINUTE, since=290) <= 300_000
    assert sum(200 for one in caller.sent if one.at >= 60) >= 0.97 * 4 * 300_000


@given(st.lists(st.integers(1, 900), min_size=2, max_size=25), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_callers_are_served_in_the_order_in_which_they_came(sizes: list[int], concurrency: int) -> None:
    order: list[int] = []

    async def all_calls() -> None:
        limits = Limits([Rate("requests", 60), Rate("tokens", 1000)], concurrency=concurrency)

        async def call(number: int, size: int) -> None:
            grant = await limits.enter(Demand(size, 0))
            order.append(number)
            await asyncio.sleep(0.1)
            limits.leave(grant, None)

        await asyncio.gather(*(call(number, size) for number, size in enumerate(sizes)))

    run_virtually(all_calls())
    assert order == list(range(len(sizes)))


def test_calls_are_paced_evenly_and_not_let_out_in_a_burst() -> None:
    async def some() -> Caller:
        caller = Caller(Limits([Rate("requests", 60)], concurrency=10_000))
        await asyncio.gather(*(caller.call() for _ in range(30)))
        return caller

    gaps = [after.at - before.at for before, after in itertools.pairwise(run_virtually(some()).sent)]
    assert min(gaps) == pytest.approx(1.0)


def test_nothing_starts_with_a_thundering_herd() -> None:
    """Few are in flight before any reply, and each reply lets one more."""

    async def some() -> None:
        limits = Limits(concurrency=500)
        waiting = [asyncio.ensure_future(limits.enter(LITTLE)) for _ in range(500)]
        await asyncio.sleep(60)
        assert limits.in_flight == START
        for replies in range(1, 40):
            limits.leave(waiting[replies - 1].result(), None)
            await asyncio.sleep(1)
            assert limits.in_flight == START + replies
        for one in waiting:
            one.cancel()

    run_virtually(some())


def test_places_do_not_grow_while_most_of_them_stay_empty() -> None:
    """Who waits for a rate doesn't want for places: only a limit that is lifted shows how many there are."""

    async def some() -> None:
        limits = Limits([Rate("requests", 60)], concurrency=500)
        caller = Caller(limits)
        slow = [asyncio.ensure_future(caller.call(seconds=3)) for _ in range(200)]
        await asyncio.sleep(120)
        limits.rates.clear()
        await asyncio.sleep(1)
        assert START <= limits.in_flight <= START + 3
        await asyncio.gather(*slow)

    run_virtually(some())


def test_a_pause_holds_every_caller_even_one_that_waits_already() -> None:
    async def some() -> tuple[float, list[float]]:
        limits = Limits([Rate("requests", 600)], concurrency=10_000)
        caller = Caller(limits)
        await caller.call()
        waiting = [asyncio.create_task(caller.call()) for _ in range(5)]
        await asyncio.sleep(0)
        limits.pause(20)
        limits.pause(3)  # a shorter one doesn't end the longer one
        began = now()
        await asyncio.gather(*waiting)
        return began, [one.at for one in caller.sent[1:]]

    began, times = run_virtually(some())
    assert len(times) == 5
    assert min(times) >= began + 20
    assert max(times) < began + 22


@pytest.mark.parametrize("asked", [None, 0.5, 7.0, 300.0])
def test_one_refusal_pauses_all_callers(asked: float | None) -> None:
    async def some() -> tuple[float, float]:
        limits = Limits(concurrency=8, jitter=lambda: 0.0)
        caller = Caller(limits)
        grants = [await limits.enter(LITTLE) for _ in range(8)]
        waiting = [asyncio.create_task(caller.call()) for _ in range(20)]
        await asyncio.sleep(1)
        wait = limits.refused(grants[0], asked)
        until = now() + wait
        for grant in grants:
            limits.leave(grant, None)
        await asyncio.gather(*waiting)
        return until, caller.sent[0].at

    until, first = run_virtually(some())
    assert until >= 1 + (asked or 0.05)
    assert until <= first < until + 1


@pytest.mark.parametrize("unit", ["tokens", "input", "output"])
def test_a_call_larger_than_a_minute_is_set_aside_at_once(unit: Unit) -> None:
    async def one() -> None:
        limits = Limits([Rate(unit, 1000)], concurrency=1)
        larger = Demand(1001 if unit != "output" else 0, 1001 if unit == "output" else 0)
        fitting = Demand(1000 if unit != "output" else 0, 1000 if unit == "output" else 0)
        with pytest.raises(CallRejected, match=rf"1001 {unit} .* 1000 in 60 s.*--tpm") as caught:
            await limits.enter(larger)
        assert caught.value.reason == "over_rate_limit"
        assert await limits.enter(fitting) is not None  # it kept no place in flight
        assert now() == 0

    run_virtually(one())


def test_a_call_larger_than_a_limit_of_a_second_takes_a_whole_second() -> None:
    """Such a limit speaks of an average."""

    async def some() -> Caller:
        caller = Caller(Limits([Rate("tokens", 1000, SECOND)], concurrency=8))
        await asyncio.gather(*(caller.call(Demand(5000, 0)) for _ in range(4)))
        return caller

    times = [one.at for one in run_virtually(some()).sent]
    assert all(after - before >= 1 for before, after in itertools.pairwise(times))


def test_tokens_that_were_not_used_are_given_back() -> None:
    async def twenty() -> float:
        caller = Caller(Limits([Rate("tokens", 1000)], concurrency=1))
        for _ in range(20):
            await caller.call(Demand(500, 0), Demand(10, 0))
        return now()

    assert run_virtually(twenty()) < 20 * 10 * 60 / 1000 + 1  # at the pace of what was used


def test_tokens_of_a_call_whose_use_is_unknown_stay_booked() -> None:
    async def two() -> float:
        limits = Limits([Rate("tokens", 1000)], concurrency=10)
        limits.leave(await limits.enter(Demand(1000, 0)), None)
        await limits.enter(Demand(1000, 0))
        return now()

    assert run_virtually(two()) >= 60


def test_requests_are_never_given_back() -> None:
    async def two() -> float:
        limits = Limits([Rate("requests", 1)], concurrency=10)
        limits.leave(await limits.enter(LITTLE), Demand(0, 0))
        await limits.enter(LITTLE)
        return now()

    assert run_virtually(two()) >= 60


def test_a_caller_that_is_cancelled_while_it_waits_leaves_its_place_to_the_next() -> None:
    async def some() -> Grant:
        limits = Limits([Rate("tokens", 1000)], concurrency=2)
        await limits.enter(Demand(1000, 0))
        waiting = asyncio.create_task(limits.enter(Demand(1000, 0)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        grant = await limits.enter(Demand(500, 0))
        assert limits.in_flight == 2
        return grant

    assert run_virtually(some()) is not None


def test_a_caller_that_is_cancelled_when_it_may_go_gives_its_place_back() -> None:
    async def some() -> float:
        limits = Limits([Rate("tokens", 1000)], concurrency=1)
        first = await limits.enter(LITTLE)
        waiting = asyncio.create_task(limits.enter(Demand(900, 0)))
        await asyncio.sleep(1)
        limits.leave(first, None)  # grants the one that waits, which never hears of it
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert limits.in_flight == 0
        await limits.enter(Demand(900, 0))
        return now()

    assert run_virtually(some()) < 2


def test_without_limits_only_the_calls_in_flight_are_held() -> None:
    async def some() -> Caller:
        caller = Caller(Limits(concurrency=3))
        await asyncio.gather(*(caller.call(Demand(10**9, 0), LITTLE, 1.0) for _ in range(9)))
        assert now() == pytest.approx(3)
        return caller

    assert run_virtually(some()).most == 3


@given(st.lists(st.floats(0, 2), min_size=1, max_size=60), st.integers(20, 80), st.sampled_from(UNITS))
@settings(max_examples=60, deadline=None)
def test_a_limit_told_midway_counts_what_was_sent_before_it(gaps: list[float], limit: int, unit: Unit) -> None:
    async def some() -> tuple[Caller, float]:
        limits = Limits(concurrency=100)
        caller = Caller(limits)
        for gap in gaps:
            await asyncio.sleep(gap)
            await caller.call(Demand(3, 2))
        told = now()
        limits.tell(unit, MINUTE, limit)
        for _ in range(40):
            await caller.call(Demand(3, 2))
        return caller, told

    caller, _told = run_virtually(some())
    after = [one.at for one in caller.sent[len(gaps) :]]
    assert len(after) == 40
    for last in after:
        sent = sum(one.asked.of(unit) for one in caller.sent if last - MINUTE < one.at <= last)
        before = sum(one.asked.of(unit) for one in caller.sent[: len(gaps)] if last - MINUTE < one.at)
        assert sent <= max(limit, before)


def test_a_limit_told_after_a_burst_holds_to_the_request() -> None:
    """What was sent is kept by the half second: all of it counts until the last of it is a minute old."""

    async def some() -> Caller:
        limits = Limits(concurrency=100)
        caller = Caller(limits)
        await caller.call()
        await asyncio.sleep(0.49)
        for _ in range(1199):
            await caller.call()
        limits.tell("requests", MINUTE, 1200)
        for _ in range(100):
            await caller.call()
        return caller

    assert run_virtually(some()).most_in_any_window("requests", MINUTE) <= 1200


@pytest.mark.parametrize("share", [0.5, 2.0])
def test_a_declared_limit_is_never_exceeded_by_a_told_one_and_lowered_by_it(share: float) -> None:
    async def some() -> int:
        limits = Limits([Rate("requests", 600)], concurrency=100)
        caller = await busy(limits, itertools.repeat(LITTLE), 30)
        limits.tell("requests", MINUTE, 600 * share)
        await asyncio.sleep(120)
        caller = await busy(limits, itertools.repeat(LITTLE), 120)
        return caller.most_in_any_window("requests", MINUTE)

    allowed = 600 * min(1.0, share)
    assert 0.97 * allowed <= run_virtually(some()) <= allowed


def test_a_told_limit_of_another_period_holds_beside_the_declared_one() -> None:
    async def some() -> Caller:
        limits = Limits([Rate("requests", 600)], concurrency=100)
        limits.tell("requests", SECOND, 5)
        limits.tell("tokens", MINUTE, 10_000)
        return await busy(limits, itertools.repeat(Demand(20, 20)), 120)

    caller = run_virtually(some())
    assert caller.most_in_any_window("requests", SECOND) <= 5
    assert caller.most_in_any_window("tokens", MINUTE) <= 10_000


def test_a_told_limit_that_grows_is_used_at_once() -> None:
    async def some() -> int:
        limits = Limits(concurrency=100)
        limits.tell("requests", MINUTE, 60)
        await busy(limits, itertools.repeat(LITTLE), 90)
        limits.tell("requests", MINUTE, 600)
        return len((await busy(limits, itertools.repeat(LITTLE), 60)).sent)

    assert run_virtually(some()) >= 0.85 * 600
