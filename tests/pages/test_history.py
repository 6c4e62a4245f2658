"""From a history in Parquet to a page: each figure that is shown is the Parquet's own."""

from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from tasks.monitoring.event_history import History
from tasks.monitoring.health_records import HealthEvent
from tasks.monitoring.statistics import health_of
from tasks.pages.health_page import write_health_page
from tasks.pages.page import place_of
from tasks.results.location import folder_at
from tests.browser import Browser
from tests.pages.made import HOSTILE, NOW


def event(number: int, model: str, *, ok: bool, price: float) -> HealthEvent:
    size, latency = (1_500, 7_000, 20_000)[number % 3], 100.0 + 7 * number
    return HealthEvent(
        at=NOW - timedelta(minutes=5 * number), source="probe", provider="together", model=model, kind="chat",
        prompt_characters=size, prompt_tokens=size // 4, completion_tokens=16 if ok else None, ok=ok,
        error_kind=None if ok else "http_503", http_status=None if ok else 503,
        first_token_ms=latency / 3 if ok else None, latency_ms=latency if ok else None,
        tokens_per_second=16_000 / latency if ok else None, cost_usd=0.001, price_in=price, price_out=price * 2,
        context=32_768,
    )  # fmt: skip


def test_what_the_page_shows_is_what_the_history_holds(tmp_path: Path, browser: Browser) -> None:
    history = History(tmp_path / "history")
    with history.held():
        for model in ("mistral-nemo", HOSTILE):
            history.append([event(n, model, ok=n % 7 != 2, price=0.2 if n < 30 else 0.15) for n in range(200)])
        health = health_of(history, NOW)
        parts = [str(path) for path in history.parts()]
    folder = folder_at(str(tmp_path))
    write_health_page(folder, health)
    browser.open(place_of(folder))
    assert browser.complaints() == []
    with duckdb.connect() as connection:
        held = connection.execute(
            """select model, avg(ok::int) filter ("at" > $now - interval 1 day),
            quantile_cont(latency_ms, 0.5), quantile_cont(latency_ms, 0.9), quantile_cont(latency_ms, 0.99),
            count(*) filter (not ok), quantile_cont(latency_ms, 0.5) filter (prompt_characters <= 2000)
            from read_parquet($parts) group by model order by model""",
            {"parts": parts, "now": NOW},
        ).fetchall()
    shown = {
        up["0"].removesuffix(" in use"): (
            up["day"],
            slow["p50"],
            slow["p90"],
            slow["p99"],
            wrong["count"],
            slow["size-2000"],
        )
        for up, slow, wrong in zip(*map(browser.table, ("availability", "latency", "errors")), strict=True)
    }
    assert shown.keys() == {row[0] for row in held}
    for model, *figures in held:
        assert [float(one) for one in shown[model]] == pytest.approx(figures)
    assert [(row["price_in"], row["changes"]) for row in browser.table("prices")] == [("0.2", "1")] * 2
