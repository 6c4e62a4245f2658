"""Limits that several jobs share hold in any window, are used, and go round fairly; without the book they hold too."""

import asyncio
import bisect
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.dispatch.limits.gate import Limits
from tasks.dispatch.limits.lease_client import Leaser
from tasks.dispatch.limits.leased_rate import SharedRate
from tasks.dispatch.limits.leases import (
    AHEAD,
    GONE,
    KEPT,
    Lease,
    LeaseRequest,
    Leases,
    QuotaBook,
    RateRequest,
    allocate,
    late_of,
    traded,
)
from tasks.dispatch.limits.rate import Demand
from tasks.providers.effective_limits import MINUTE, SECOND
from tasks.providers.rate_limit_headers import Unit
from tests.dispatch.jobs import Declared, Sent, Shared, Worker, most_in_any_window, work, worker
from tests.dispatch.traffic import now
from tests.virtual import run_virtually

REQUESTS: Declared = [("requests", 1200, MINUTE)]
EVEN, SMALL, LARGE = Demand(1500, 500), Demand(700, 300), Demand(50_000, 10_000)


def tokens(limit: float) -> Declared:
    return [("tokens", limit, MINUTE)]


def workers(shared: Shared, count: int, declared: Declared, **words: Any) -> list[Worker]:
    return [worker(number, shared, declared, **words) for number in range(count)]


def used(sent: Sequence[Sent], unit: Unit, begin: float, end: float) -> float:
    """What was used a second between two times."""
    return sum(one.used.of(unit) for one in sent if begin <= one.at < end) / (end - begin)


def in_flight(sent: Sequence[Sent], at: float) -> int:
    return sum(one.at <= at < one.done for one in sent)


def most_in_flight(sent: Sequence[Sent]) -> int:
    return max(in_flight(sent, one.at) for one in sent)


@pytest.mark.parametrize(
    ("count", "declared", "demand", "least"),
    [
        (1, REQUESTS, Demand(1, 0), 0.97),
        (4, REQUESTS, Demand(1, 0), 0.97),
        (10, [("requests", 60, MINUTE)], Demand(1, 0), 0.95),
        (2, [("requests", 20, SECOND)], Demand(1, 0), 0.85),
        (4, [("requests", 1200, MINUTE), ("requests", 30, SECOND)], Demand(1, 0), 0.97),
        (4, [("tokens", 600_000, MINUTE)], EVEN, 0.95),
        (4, [("output", 300_000, MINUTE), ("requests", 2400, MINUTE)], EVEN, 0.93),
        (4, [("tokens", 600_000, MINUTE), ("requests", 1200, MINUTE)], SMALL, 0.93),
    ],
)
def test_no_window_holds_more_than_the_limits_and_nearly_all_of_the_tightest_is_used(
    count: int, declared: Declared, demand: Demand, least: float
) -> None:
    shared = Shared()
    sent, _ = work(lambda: workers(shared, count, declared, demand=demand), 120)
    for unit, limit, period in declared:
        assert most_in_any_window(sent, unit, period) <= limit
    unit, limit, period = declared[0]
    assert used(sent, unit, 60, 120) >= least * limit / period


def test_answers_shorter_than_their_most_leave_their_tokens_to_all() -> None:
    """A tenth of what is reserved is used; calls in flight hold the rest, and so does what is leased and not sent."""
    shared, declared = Shared(), tokens(200_000)
    words = {"demand": Demand(1000, 1000), "used": Demand(150, 50), "seconds": 0.3}
    sent, _ = work(lambda: workers(shared, 4, declared, **words), 120)
    assert most_in_any_window(sent, "tokens", MINUTE) <= 200_000
    assert used(sent, "tokens", 60, 120) >= 0.75 * 200_000 / MINUTE


def test_a_large_call_is_not_overtaken_for_ever_by_small_ones() -> None:
    shared, declared = Shared(), tokens(100_000)

    def make() -> list[Worker]:
        small: dict[str, Any] = {"demand": Demand(500, 500), "used": Demand(250, 250)}
        large = worker(0, shared, declared, demand=LARGE, callers=1, pause=60.0)
        return [large, *(worker(number, shared, declared, **small) for number in (1, 2))]

    sent, _ = work(make, 400)
    assert most_in_any_window(sent, "tokens", MINUTE) <= 100_000
    times = [one.at for one in sent if one.job == 0]
    assert len(times) >= 3
    assert sum(one.job != 0 for one in sent) >= 200


def test_a_block_is_leased_at_a_time_never_a_call() -> None:
    shared = Shared()
    sent, _ = work(lambda: workers(shared, 2, [("requests", 60_000, MINUTE)], seconds=0.05), 20)
    assert len(sent) > 20 * 500
    assert shared.trades <= 20 * 2 * 3


def test_who_asks_seldom_beside_nobody_waits_for_next_to_nothing() -> None:
    shared = Shared()
    sent, _ = work(lambda: workers(shared, 1, REQUESTS, callers=1, pause=0.7), 60)
    assert len(sent) >= 0.97 * 60


def test_who_asks_seldom_isn_t_starved_by_the_busy() -> None:
    shared = Shared()

    def make() -> list[Worker]:
        return [worker(0, shared, REQUESTS, callers=2, pause=0.7), *workers(shared, 4, REQUESTS)[1:]]

    sent, _ = work(make, 120)
    by_job = Counter(one.job for one in sent)
    assert by_job[0] >= 0.4 * 2 * 120
    assert max(by_job[job] for job in (1, 2, 3)) <= 1.5 * min(by_job[job] for job in (1, 2, 3))


def test_places_in_flight_are_shared_and_those_of_a_killed_job_are_free_again() -> None:
    shared = Shared()
    kill = {20.0: lambda found: found[0].kill()}
    sent, _ = work(lambda: workers(shared, 4, [], concurrency=20, seconds=2.0), 60, kill)
    assert most_in_flight(sent) == 20
    assert in_flight(sent, 15) == 20
    assert in_flight(sent, 20 + GONE / 2) <= 15
    assert 18 <= in_flight(sent, 20 + GONE + 2) <= 20


def test_fewer_places_than_jobs_go_round() -> None:
    shared = Shared()
    sent, _ = work(lambda: workers(shared, 5, [], concurrency=2, seconds=1.5), 120)
    assert most_in_flight(sent) == 2
    assert min(Counter(one.job for one in sent)[job] for job in range(5)) >= 8


def test_a_job_that_leaves_frees_its_places_at_once() -> None:
    book = QuotaBook()
    assert _trade(book, "a", 0.0, flights=10, most=10).places == 10
    assert _trade(book, "b", 0.1, flights=10, most=10).places == 0
    _trade(book, "a", 0.2, leaving=True)
    again = _trade(book, "b", 0.3, flights=10, most=10)
    assert (again.places, again.holders) == (10, 1)


def _trade(book: QuotaBook, holder: str, at: float, *, flights: int = 0, most: int = 1, **words: Any) -> Leases:
    return allocate(book, LeaseRequest(holder, words.pop("rates", {}), 0, flights, most, **words), at)


@pytest.mark.parametrize("back", [101.0, 104.0, 130.0, 200.0])
@pytest.mark.parametrize(("unit", "limit", "demand"), [("requests", 1200, Demand(1, 0)), ("tokens", 600_000, EVEN)])
def test_while_the_book_is_away_the_limit_is_held_and_used_and_said_once(
    back: float, unit: Unit, limit: float, demand: Demand
) -> None:
    shared = Shared()
    events = {100.0: partial(_set, shared, away=True), back: partial(_set, shared, away=False)}
    sent, jobs = work(lambda: workers(shared, 4, [(unit, limit, MINUTE)], demand=demand), back + 70, events)
    assert most_in_any_window(sent, unit, MINUTE) <= limit
    assert used(sent, unit, 100, back + 70) >= 0.84 * limit / MINUTE
    assert used(sent, unit, back + 8, back + 68) >= 0.95 * limit / MINUTE
    (said,) = {trouble for job in jobs for trouble in job.troubles}
    assert said == "the book is away: each job goes on with an equal share, of 4, until it is back"
    assert [len(job.troubles) for job in jobs] == [1] * 4


def _set(shared: Shared, _: object, *, away: bool) -> None:
    shared.away = away


def test_places_are_held_while_the_book_is_away() -> None:
    shared = Shared()
    events = {20.0: partial(_set, shared, away=True), 40.0: partial(_set, shared, away=False)}
    sent, _ = work(lambda: workers(shared, 4, [], concurrency=20, seconds=2.0), 60, events)
    assert most_in_flight(sent) == 20
    assert in_flight(sent, 35) == 20


def test_a_book_that_does_not_answer_is_away_too() -> None:
    shared = Shared()

    def hang(_: object) -> None:
        shared.latency = 1e9

    sent, jobs = work(lambda: workers(shared, 2, REQUESTS), 130, {60.0: hang})
    assert most_in_any_window(sent, "requests", MINUTE) <= 1200
    assert used(sent, "requests", 70, 130) >= 0.8 * 20
    assert [len(job.troubles) for job in jobs] == [1, 1]


def test_who_declares_less_is_believed_as_long_as_it_is_there() -> None:
    shared = Shared()

    def make() -> list[Worker]:
        return [worker(0, shared, REQUESTS), worker(1, shared, [("requests", 600, MINUTE)])]

    sent, _ = work(make, 180, {60.0: lambda found: found[1].kill()})
    assert used(sent, "requests", 0, 60) <= 10
    assert used(sent, "requests", 90, 180) >= 0.95 * 20


def test_a_limit_that_headers_lower_is_lowered_for_all() -> None:
    shared = Shared()
    tell = {30.0: lambda found: found[0].limits.tell("requests", MINUTE, 300)}
    sent, _ = work(lambda: workers(shared, 3, REQUESTS), 180, tell)
    late = [one for one in sent if one.at > 95]
    assert most_in_any_window(late, "requests", MINUTE) <= 300
    assert used(late, "requests", 120, 180) >= 0.95 * 5


def test_a_defect_is_not_taken_for_a_book_that_is_away() -> None:
    async def broken(ask: LeaseRequest) -> Leases:
        raise ZeroDivisionError

    async def run() -> None:
        limits = Limits([SharedRate("requests", 60)], concurrency=5)
        await Leaser(limits, broken, "a", lambda _: None).run()

    with pytest.raises(ZeroDivisionError):
        run_virtually(run())


ASKS = st.lists(
    st.tuples(st.integers(0, 3), st.floats(0, 3), st.integers(0, 30), st.floats(0, 1)), min_size=1, max_size=80
)


@given(st.integers(1, 120), st.sampled_from((SECOND, MINUTE)), ASKS)
@settings(max_examples=200, deadline=None)
def test_slots_hold_the_limit_however_late_they_are_used(
    limit: int, period: float, asks: list[tuple[int, float, int, float]]
) -> None:
    """Each is good for `late` seconds: of any period, so many slots more count."""
    book, at, slots = QuotaBook(), 0.0, list[float]()
    for holder, gap, want, late in asks:
        at += gap
        wish = RateRequest("requests", limit, period, want, min(1, want))
        lease = _trade(book, str(holder), at, rates={"r": wish}).rates["r"]
        assert lease.start >= at
        assert lease.amount <= want
        times = [lease.start + number * lease.step for number in range(int(lease.amount))]
        assert all(time <= at + AHEAD + lease.step for time in times[:1])
        slots += [time + late * late_of(period) for time in times]
    slots.sort()
    for number, time in enumerate(slots):
        assert number - bisect.bisect_right(slots, time - period) < limit


def test_tokens_of_a_job_that_was_killed_count_for_a_minute_more() -> None:
    book = QuotaBook()
    rates = {"t": RateRequest("tokens", 1000, MINUTE, 900, 900)}
    assert _trade(book, "a", 0.0, rates=rates).rates["t"].amount == 900
    for at in (55.0, 60.0, 70.0):
        assert _trade(book, "b", at, rates=rates).rates["t"].amount == 0
    assert _trade(book, "b", KEPT + 1, rates=rates).rates["t"].amount == 900


def test_a_book_that_cannot_be_read_is_begun_anew() -> None:
    ask = LeaseRequest("a", {"r": RateRequest("requests", 60, MINUTE, 1, 1)}, 0, 1, 5)
    for text in ("", "{", '{"next": 3}', '{"holders": {"b": 1}}'):
        kept, leases = traded(ask, text, 5.0)
        assert leases.rates == {"r": Lease(5.0, 1.0, 61.25 / 60)}
        assert traded(ask, kept, 5.0)[1].rates["r"].start > 5.0


def test_a_book_from_before_the_machine_started_holds_nobody_up() -> None:
    book = QuotaBook()
    rates = {"r": RateRequest("requests", 60, MINUTE, 30, 1)}
    _trade(book, "a", 1e6, rates=rates, flights=5, most=5)
    leases = _trade(book, "b", 10.0, rates=rates, flights=5, most=5)
    assert (leases.rates["r"].start, leases.places) == (10.0, 5)


def test_callers_wait_for_no_trade_where_one_is_on_its_way() -> None:
    """The book is slow, and nobody waits for it but the first: blocks are leased ahead."""
    shared = Shared(latency=0.1)
    sent, _ = work(lambda: workers(shared, 1, [("requests", 60_000, MINUTE)], callers=20, seconds=0.2), 60)
    assert len([one for one in sent if one.at > 20]) >= 0.9 * 40 * 20 / 0.2


def test_the_gate_is_shut_until_the_first_lease() -> None:
    async def run() -> float:
        limits = Limits([SharedRate("requests", 60)], concurrency=5)
        task = asyncio.create_task(Leaser(limits, Shared(0.25).exchange, "a", lambda _: None).run())
        await limits.enter(Demand(1, 1))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return now()

    assert run_virtually(run()) == pytest.approx(1.0)
