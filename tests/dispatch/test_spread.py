"""What is known of a route's answers: their latencies, and how it counts tokens."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tasks.dispatch.latency import CALIBRATED_BY, ENOUGH, REMEMBERED, Calibration, LatencyWindow

LATENCIES = st.lists(st.floats(0, 1000), min_size=ENOUGH, max_size=2 * REMEMBERED)


def spread(latencies: list[float]) -> LatencyWindow:
    one = LatencyWindow()
    for seconds in latencies:
        one.add(seconds)
    return one


@given(st.lists(st.floats(0, 1000), max_size=ENOUGH - 1), st.floats(1, 1e5))
def test_nothing_is_said_before_enough_is_known(latencies: list[float], most: float) -> None:
    known = spread(latencies)
    assert known.slow() is None
    assert known.deadline(most) == most


@given(LATENCIES)
def test_three_of_a_hundred_of_the_latest_are_slower(latencies: list[float]) -> None:
    slow, latest = spread(latencies).slow(), latencies[-REMEMBERED:]
    assert slow is not None
    assert sum(one > slow for one in latest) <= 0.03 * len(latest)
    assert sum(one >= slow for one in latest) >= 0.03 * len(latest)


def test_slow_follows_a_route_that_becomes_slower() -> None:
    assert spread([0.1] * 5000 + [2.0] * REMEMBERED).slow() == 2.0


@given(LATENCIES, st.floats(1, 1e5))
def test_a_deadline_is_never_more_than_allowed_and_far_beyond_every_answer(latencies: list[float], most: float) -> None:
    deadline = spread(latencies).deadline(most)
    assert deadline <= most
    assert deadline == most or deadline >= 10 * max(latencies) + 30


def test_a_hang_on_a_quick_route_is_ended_early() -> None:
    assert spread([0.5] * ENOUGH).deadline(600.0) < 40


@given(
    st.lists(st.tuples(st.integers(1, 10_000), st.floats(0.1, 1)), max_size=CALIBRATED_BY - 1), st.integers(0, 10**6)
)
def test_our_count_is_reserved_before_the_provider_s_is_known(seen: list[tuple[int, float]], counted: int) -> None:
    calibration = Calibration()
    for count, share in seen:
        calibration.add(count, int(count * share))
    assert calibration.prompt(counted) == counted


@given(
    st.lists(st.tuples(st.integers(100, 10_000), st.floats(0.1, 3)), min_size=CALIBRATED_BY, max_size=100),
    st.integers(0, 10**6),
)
def test_a_tenth_more_than_the_dearest_of_late_is_reserved_up_to_our_count_and_more_where_the_provider_counts_more(
    seen: list[tuple[int, float]], counted: int
) -> None:
    calibration = Calibration()
    for count, share in seen:
        calibration.add(count, int(count * share))
    dearest = max(int(count * share) / count for count, share in seen[-CALIBRATED_BY:])
    assert calibration.prompt(counted) == math.ceil(counted * max(dearest, min(1.0, 1.1 * dearest)))


def test_an_empty_prompt_says_nothing() -> None:
    calibration = Calibration()
    for _ in range(100):
        calibration.add(0, 5)
    assert calibration.prompt(100) == 100
