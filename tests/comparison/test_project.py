"""From the sample to all documents: figures grow as the work does, under the limits of the route."""

from dataclasses import replace

import pytest

from tasks.calls.estimate import Expected
from tasks.comparison.comparison_records import Measured, Terms
from tasks.comparison.projection import project

TERMS = Terms("p/m", "p", "m", 8192, price_in=1.0, price_out=2.0, concurrency=10)
SAMPLE = Expected(10, 10, 10_000, 1_000)
WHOLE = Expected(2_000, 2_000, 1_000_000, 200_000)
MEASURED = Measured(
    10, 10, calls=10, attempts=10, prompt_tokens=9_000, completion_tokens=500, cost_usd=0.01, latency_mean=500.0
)


def test_the_price_grows_as_the_planned_one_does() -> None:
    found = project(TERMS, MEASURED, SAMPLE, WHOLE, 1500)
    assert found.cost_usd == pytest.approx(0.01 * (1_000_000 + 2 * 200_000) / (10_000 + 2 * 1_000))
    assert (found.documents, found.calls) == (1500, 2000)


def test_where_only_the_answers_tell_a_cost_it_grows_with_the_tokens() -> None:
    found = project(replace(TERMS, price_in=None, price_out=None), MEASURED, SAMPLE, WHOLE, 1500)
    assert found.cost_usd == pytest.approx(0.01 * 1_200_000 / 11_000)


def test_an_unknown_cost_stays_unknown_and_a_free_route_stays_free() -> None:
    assert project(TERMS, replace(MEASURED, cost_usd=None), SAMPLE, WHOLE, 9).cost_usd is None
    assert project(TERMS, replace(MEASURED, cost_usd=0.0), SAMPLE, WHOLE, 9).cost_usd == 0


def test_calls_in_flight_share_the_time() -> None:
    found = project(TERMS, MEASURED, SAMPLE, WHOLE, 1500)
    assert found.seconds == pytest.approx(2000 * 0.5 / 10)
    assert found.bound_by == "latency"


def test_fewer_calls_than_fly_at_once_take_as_long_as_one() -> None:
    assert project(TERMS, MEASURED, SAMPLE, SAMPLE, 10).seconds == pytest.approx(0.5)
    assert project(replace(TERMS, concurrency=500), MEASURED, SAMPLE, SAMPLE, 10).seconds == pytest.approx(0.5)


def test_requests_a_minute_hold_a_job_up_and_so_do_those_that_were_sent_again() -> None:
    limited = replace(TERMS, requests_per_minute=60)
    found = project(limited, MEASURED, SAMPLE, WHOLE, 1500)
    assert found.seconds == pytest.approx(2000)
    assert found.bound_by == "requests"
    again = project(limited, replace(MEASURED, attempts=15), SAMPLE, WHOLE, 1500)
    assert again.seconds == pytest.approx(3000)


def test_tokens_a_minute_hold_a_job_up_as_they_were_counted_there() -> None:
    found = project(replace(TERMS, tokens_per_minute=9_500), MEASURED, SAMPLE, WHOLE, 1500)
    assert found.seconds == pytest.approx(60 * 1_200_000 / 11_000)
    assert found.bound_by == "tokens"


def test_where_nothing_was_answered_nothing_is_said() -> None:
    found = project(TERMS, Measured(10, failed=10), Expected(), WHOLE, 1500)
    assert (found.cost_usd, found.seconds, found.bound_by, found.calls) == (None, None, None, 2000)
