"""What the history tells, against what was put into it."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from tasks.monitoring.alarms import alarms
from tasks.monitoring.event_history import History
from tasks.monitoring.health_records import HealthEvent, RouteHealth
from tasks.monitoring.statistics import health_of
from tests.monitoring.made import NOW, event

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def told(tmp_path: Path, events: list[HealthEvent], *named: tuple[str, str]) -> RouteHealth:
    history = History(tmp_path)
    with history.held():
        history.append(events)
        (route,) = health_of(history, NOW, named).routes
    return route


def test_an_empty_history_tells_of_no_route(tmp_path: Path) -> None:
    assert health_of(History(tmp_path), NOW).routes == ()


def test_uptime_is_the_share_that_was_answered_in_each_time(tmp_path: Path) -> None:
    ages = [(5 * MINUTE, None), (10 * MINUTE, "http_503"), (5 * HOUR, None), (6 * HOUR, None), (3 * DAY, "timeout")]
    route = told(tmp_path, [event(at=NOW - age, error=kind) for age, kind in ages])
    assert (route.uptime.hour, route.uptime.day, route.uptime.week) == (0.5, 0.75, 0.6)
    assert [(strip.count, strip.ok) for strip in route.days] == [(1, 0), (4, 3)]
    assert [(strip.start.hour, strip.count, strip.ok) for strip in route.hours] == [(6, 1, 1), (7, 1, 1), (12, 2, 1)]


@pytest.mark.parametrize("kind", ["context_overflow", "content_filter", "http_400", "interrupted"])
def test_what_is_a_calls_own_fault_leaves_the_uptime_alone(tmp_path: Path, kind: str) -> None:
    route = told(tmp_path, [event(at=NOW - MINUTE), event(error=kind, source="call")])
    assert (route.state, route.uptime.hour) == ("up", 1.0)
    assert [(one.kind, one.count) for one in route.errors] == [(kind, 1)]


@pytest.mark.parametrize(
    ("age", "kind", "state"),
    [(0, None, "up"), (0, "connect", "down"), (0, "account_refused", "down"), (2, None, "unknown")],
)
def test_the_state_is_that_of_the_latest_event_of_a_day(tmp_path: Path, age: int, kind: str, state: str) -> None:
    assert told(tmp_path, [event(at=NOW - 9 * DAY), event(at=NOW - age * DAY, error=kind)]).state == state


def test_latencies_are_exact_quantiles_by_the_prompts_size(tmp_path: Path) -> None:
    luck = np.random.default_rng(1)
    small, large = luck.gamma(2, 100, 501), luck.gamma(2, 900, 401)
    events = [event(latency_ms=float(one), prompt_characters=2_000) for one in small]
    events += [event(latency_ms=float(one), prompt_characters=40_000) for one in large]
    events += [event(error="timeout", prompt_characters=2_000)]
    route = told(tmp_path, events)
    first, last = route.latencies
    assert (first.most_characters, first.count, last.most_characters, last.count) == (2_000, 501, None, 401)
    assert (first.p50, first.p90, first.p99) == pytest.approx(np.quantile(small, [0.5, 0.9, 0.99]))
    assert route.latency_p99 == pytest.approx(np.quantile(np.concatenate([small, large]), 0.99))
    assert [(one.day, one.count) for one in route.daily] == [(NOW.date(), 902)]


def test_a_call_whose_characters_nobody_counted_is_placed_by_its_tokens(tmp_path: Path) -> None:
    route = told(tmp_path, [event(prompt_characters=None, prompt_tokens=1_000)])
    assert [one.most_characters for one in route.latencies] == [4_000]


def test_prices_are_told_as_steps_and_calls_without_one_are_none(tmp_path: Path) -> None:
    prices = [(5, 1.0), (4, 1.0), (3, 2.0), (2, None), (1, 2.0), (0, 1.5)]
    route = told(tmp_path, [event(at=NOW - days * DAY, price_in=price) for days, price in prices])
    assert [(step.since, step.price_in) for step in route.prices] == [
        (NOW - 5 * DAY, 1.0), (NOW - 3 * DAY, 2.0), (NOW, 1.5),
    ]  # fmt: skip
    assert (route.price_in, route.price_out) == (1.5, 2.0)


def test_a_route_is_in_use_that_a_job_called_within_a_week_or_that_is_named(tmp_path: Path) -> None:
    assert not told(tmp_path / "a", [event(), event(source="call", at=NOW - 8 * DAY)]).in_use
    assert told(tmp_path / "b", [event(), event(source="call", at=NOW - 6 * DAY)]).in_use
    assert told(tmp_path / "c", [event()], ("p", "m")).in_use
    assert not told(tmp_path / "d", [event()], ("p", "other")).in_use


def test_only_a_route_in_use_alarms_when_it_is_down(tmp_path: Path) -> None:
    down = [event(error="connect")]
    assert alarms([told(tmp_path / "a", down)], NOW, 10) == []
    (alarm,) = alarms([told(tmp_path / "b", down, ("p", "m"))], NOW, 10)
    assert (alarm.event, alarm.provider, alarm.model) == ("docmill.route.down", "p", "m")
    assert "connect" in alarm.message


@pytest.mark.parametrize(
    ("before", "after", "age", "alarmed"),
    [(1.0, 1.11, 0, 1), (1.0, 1.1, 0, 0), (1.0, 0.5, 0, 0), (0.0, 0.1, 0, 1), (1.0, 2.0, 1, 0)],
)
def test_a_price_alarms_once_when_it_rises_beyond_so_much(
    tmp_path: Path, before: float, after: float, age: int, alarmed: int
) -> None:
    events = [event(at=NOW - 2 * DAY, price_in=before), event(at=NOW - age * DAY, price_in=after)]
    found = alarms([told(tmp_path, events, ("p", "m"))], NOW - HOUR, 10)
    assert [one.event for one in found] == ["docmill.price.rose"] * alarmed
