"""The page of all routes: it shows what the statistics say, of forty routes as of one."""

import re
from datetime import timedelta

import pytest

from tasks.monitoring.health_records import Health, Strip
from tasks.pages.health_page import health_page
from tasks.pages.strips import HOURS, WEEKS, hours_of, spark, tone_of, weeks_of
from tests.browser import NARROW, WIDE, Browser
from tests.pages.made import HOSTILE, NOW, health_of

MOST_BYTES = 5_000_000


@pytest.fixture(scope="module")
def health() -> Health:
    return health_of(12)


@pytest.fixture(scope="module")
def url(health: Health, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("health") / "health.html"
    path.write_text(health_page(health), encoding="utf-8")
    return path.as_uri()


def test_the_tables_hold_the_statistics(health: Health, url: str, browser: Browser) -> None:
    browser.open(url)
    assert {name: float(value) for name, value in browser.figures().items()} == {
        "routes": 12, "up": 10, "down": 1, "unknown": 1, "probes": 12 * 365 * 288, "calls": 4 * 1240,
        "cost_usd": pytest.approx(12 * 0.31),
    }  # fmt: skip
    for row, route in zip(browser.table("availability"), health.routes, strict=True):
        assert row["0"].startswith(str(route.model))
        assert [float(row[name]) for name in ("hour", "day", "week")] == [
            route.uptime.hour, route.uptime.day, route.uptime.week,
        ]  # fmt: skip
    for row, route in zip(browser.table("latency"), health.routes, strict=True):
        assert [float(row[name]) for name in ("p50", "p90", "p99")] == [
            route.latency_p50, route.latency_p90, route.latency_p99,
        ]  # fmt: skip
        assert [float(row[f"size-{one.most_characters}"]) for one in route.latencies] == [
            one.p50 for one in route.latencies
        ]
    for row, route in zip(browser.table("prices"), health.routes, strict=True):
        assert (float(row["price_in"]), int(row["changes"])) == (route.price_in, len(route.prices) - 1)
    assert len(browser.table("errors")) == sum(len(route.errors) for route in health.routes)
    text = browser.run("return document.body.textContent")
    assert all(
        words in text for words in [one.message for one in health.alarms] + [one.because for one in health.advice]
    )


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_everything_can_be_read_and_nothing_is_markup(url: str, browser: Browser, width: int, *, dark: bool) -> None:
    browser.open(url, width, dark=dark)
    assert browser.complaints() == []
    assert browser.cut_off() == []
    assert browser.pale() == []
    assert HOSTILE in browser.run("return document.body.textContent")
    assert browser.run("return document.querySelectorAll('img').length + document.scripts.length") == 1


def test_a_cell_says_what_it_is_when_pointed_at(url: str, browser: Browser) -> None:
    browser.open(url)
    browser.run(
        "const cell = document.querySelector('#table-availability .strip rect');"
        "cell.dispatchEvent(new PointerEvent('pointermove', {bubbles: true, clientX: 600, clientY: 300}))"
    )
    assert re.fullmatch(r"2026-11-23 10:00: .*looks", browser.run("return document.querySelector('.tip').textContent"))


def test_a_year_of_forty_routes_stays_small() -> None:
    assert len(health_page(health_of(40, 365)).encode()) < MOST_BYTES


def test_a_machine_without_a_history_has_a_page() -> None:
    html = health_page(Health(NOW, ()))
    assert "No route has been looked at yet." in html
    assert "No price is known yet." in html


def test_a_live_page_has_the_jobs() -> None:
    assert 'id="table-jobs"' not in health_page(health_of(3))
    assert "None is known here yet" in health_page(health_of(3), live=True, jobs=[])


def test_an_hour_nobody_looked_in_is_a_gap_and_the_last_cell_is_now() -> None:
    hour = NOW.replace(minute=0)
    cells = hours_of([Strip(hour, 4, 2), Strip(hour - timedelta(hours=47), 12, 12)], NOW)
    assert [cell.tone for cell in cells] == ["up-all", *["up-none"] * (HOURS - 2), "up-some"]
    assert cells[-1].said == "2026-11-25 09:00: 50.0 % of 4 looks"


def test_a_weeks_days_weigh_as_much_as_their_looks() -> None:
    today = NOW.replace(hour=0, minute=0)
    days = [
        Strip(today, 1, 0),
        Strip(today - timedelta(6), 99, 99),
        Strip(today - timedelta(7), 5, 5),
    ]
    cells = weeks_of(days, NOW)
    assert len(cells) == WEEKS
    assert [cell.tone for cell in cells[-3:]] == ["up-none", "up-all", "up-most"]
    assert cells[-1].said == "week from 2026-11-19: 99.0 % of 100"


def test_a_failure_in_a_thousand_is_not_all() -> None:
    assert [tone_of(up) for up in (1.0, 0.9999, 0.95, 0.94, 0.0)] == [
        "up-all",
        "up-most",
        "up-most",
        "up-some",
        "up-some",
    ]


def test_a_line_of_a_year_has_few_points() -> None:
    route, *_ = health_of(3, 365).routes
    assert spark(route.daily).count("L") < 60
    assert spark(route.daily[:1]) == ""
