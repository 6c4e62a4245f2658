"""One limit: it holds in any window, is paced, and is used to the full."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.dispatch.limits.rate import TOLERANCE, Demand, Rate, Taken
from tasks.providers.effective_limits import MINUTE, SECOND

# Seconds until the next caller comes, its amount, the share it uses, and the seconds until it is settled (or never).
Asked = tuple[float, int, float, float | None]
ASKED = st.lists(
    st.tuples(st.floats(0, 20), st.integers(1, 100), st.floats(0, 1), st.none() | st.floats(0, 90)),
    min_size=1,
    max_size=60,
)
LIMITS = st.integers(100, 1000)
PERIODS = st.sampled_from((SECOND, 10.0, MINUTE, 3600.0))


class Log:
    """What was taken of a rate, and what was given back later."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.taken: list[tuple[float, float, float, float]] = []
        self._open: list[tuple[float, Taken, float]] = []

    def take(self, now: float, asked: Asked) -> float:
        """Take as soon as it may be; return when that was."""
        _, amount, share, later = asked
        self._settle(now)
        # What is given back meanwhile shortens the wait, so that one may look again.
        for _ in range(1000):
            wait = self.rate.delay(amount, now)
            if wait == 0:
                break
            now += wait
            self._settle(now)
        else:
            pytest.fail("waiting as long as was said doesn't help")
        one = self.rate.take(amount, now)
        used = amount if later is None else amount * share
        settled = float("inf") if later is None else now + later
        self.taken.append((now, amount, settled, used))
        if later is not None:
            self._open.append((settled, one, used))
        return now

    def _settle(self, now: float) -> None:
        for at, one, used in sorted((entry for entry in self._open if entry[0] <= now), key=lambda entry: entry[0]):
            self.rate.settle(one, used, now)
            self._open = [entry for entry in self._open if entry[1] is not one]
            assert at <= now

    def most(self, period: float) -> float:
        """The most that any window held when its last one was taken."""
        return max(
            sum(
                used if settled <= now else amount
                for at, amount, settled, used in self.taken
                if now - period < at <= now
            )
            for now, *_ in self.taken
        )


@given(LIMITS, PERIODS, ASKED)
@settings(max_examples=100, deadline=None)
def test_no_window_ever_holds_more_than_the_limit(limit: int, period: float, asked: list[Asked]) -> None:
    log, now = Log(Rate("tokens", limit, period)), 0.0
    for one in asked:
        now = log.take(now + one[0] * period / MINUTE, one)
    assert log.most(period) <= limit + 1e-6


@given(LIMITS, PERIODS, ASKED, st.floats(0, 2))
@settings(max_examples=100, deadline=None)
def test_a_window_that_is_turned_down_meanwhile_holds_from_then_on(
    limit: int, period: float, asked: list[Asked], share: float
) -> None:
    rate, now = Rate("tokens", limit, period), 0.0
    log = Log(rate)
    for one in asked:
        now = log.take(now + one[0] * period / MINUTE, one)
    rate.limit = max(100.0, limit * share)
    log = Log(rate)
    log.taken = []
    began = now
    for one in asked:
        now = log.take(now + one[0] * period / MINUTE, one)
    later = [one for one in log.taken if one[0] > began]
    if later:
        log.taken = later
        assert log.most(period) <= rate.limit + 1e-6


@given(LIMITS, PERIODS, st.lists(st.integers(1, 100), min_size=2, max_size=60))
@settings(max_examples=100, deadline=None)
def test_a_busy_caller_is_paced_evenly(limit: int, period: float, amounts: list[int]) -> None:
    log, now, times = Log(Rate("tokens", limit, period)), 0.0, []
    for amount in amounts:
        now = log.take(now, (0.0, amount, 1.0, None))
        times.append(now)
    starts = list(itertools.accumulate((amount * period / limit for amount in amounts), initial=0.0))
    for first, last in itertools.combinations(range(len(amounts)), 2):
        assert times[last] - times[first] >= starts[last] - starts[first] - TOLERANCE - 1e-6


@given(LIMITS, st.lists(st.tuples(st.floats(0, 59.7), st.integers(1, 100)), max_size=20), st.integers(1, 100))
@settings(max_examples=100, deadline=None)
def test_what_was_taken_before_the_limit_was_known_counts(
    limit: int, before: list[tuple[float, int]], amount: int
) -> None:
    rate = Rate("tokens", limit)
    for at, taken in sorted(before):
        rate.remember(at, taken)
    now = 59.8
    now += rate.delay(amount, now)
    assert sum(taken for at, taken in before if at > now - MINUTE) + amount <= max(limit, amount)


def test_what_was_not_used_is_given_back_at_once() -> None:
    rate = Rate("tokens", 1000)
    one = rate.take(1000, 0.0)
    assert rate.delay(1000, 1.0) > 50
    rate.settle(one, 0, 1.0)
    assert rate.delay(1000, 1.0) == 0


def test_what_was_used_beyond_its_reservation_is_booked() -> None:
    rate = Rate("tokens", 1000)
    rate.settle(rate.take(100, 0.0), 900, 1.0)
    assert rate.delay(101, 30.0) > 29


def test_a_caller_that_comes_late_makes_up_for_no_more_than_the_tolerance() -> None:
    rate, now = Rate("requests", 600), 1000.0
    rate.take(1, 0.0)
    burst = 0
    while rate.delay(1, now) == 0:
        rate.take(1, now)
        burst += 1
    assert burst <= 2


@pytest.mark.parametrize(("unit", "amount"), [("requests", 1), ("tokens", 130), ("input", 100), ("output", 30)])
def test_a_call_asks_of_each_unit_its_own(unit: str, amount: int) -> None:
    assert Demand(100, 30).of(unit) == amount  # type: ignore[arg-type]
