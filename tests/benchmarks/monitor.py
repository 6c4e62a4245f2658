"""A year of probes of 40 routes, every five minutes: how long the statistics and their page take.

`python -m tests.benchmarks.monitor [FOLDER]` makes the history (4.2 million rows) where
it isn't there yet, and prints the seconds.
"""

import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.monitoring.event_history import History
from tasks.monitoring.health_records import HISTORY
from tasks.monitoring.statistics import health_of
from tasks.pages.health_page import health_page

ROUTES, DAYS, EVERY = 40, 365, timedelta(minutes=5)
END = datetime(2026, 11, 25, 12, tzinfo=UTC)
SIZES = np.array([100, 2_000, 4_000, 8_000, 16_000, 32_000])


def make(history: History) -> int:
    """Write a file a month, as compacting leaves it; return the rows."""
    luck = np.random.default_rng(7)
    per_route = DAYS * timedelta(days=1) // EVERY
    times = np.datetime64(END.replace(tzinfo=None), "us") - np.arange(per_route) * np.timedelta64(300, "s")
    for month in np.unique(times.astype("datetime64[M]")):
        table = pa.concat_tables(
            [_rows(route, times[times.astype("datetime64[M]") == month], luck) for route in range(ROUTES)]
        )
        pq.write_table(table, history.events / f"{month}-month-made.parquet", compression="zstd")
    return per_route * ROUTES


def _rows(route: int, times: "np.ndarray[tuple[int], np.dtype[np.datetime64]]", luck: np.random.Generator) -> pa.Table:
    count = len(times)
    ok = luck.random(count) > 0.002 * (route % 10)
    sizes = luck.choice(SIZES, count)
    latency = luck.lognormal(6 + route / 40, 0.4, count) + sizes / 50
    price = np.where(times > np.datetime64("2026-06-01") + np.timedelta64(route, "D"), 0.2, 0.15)
    known = {
        "at": pa.array(times, pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
        "source": ["probe"] * count,
        "provider": [f"provider-{route % 8}"] * count,
        "model": [f"model-{route}"] * count,
        "kind": [("chat", "code", "embedding")[route % 3]] * count,
        "prompt_characters": sizes,
        "prompt_tokens": sizes // 4,
        "completion_tokens": [16] * count,
        "ok": ok,
        "error_kind": pa.array(["http_503"] * count, mask=ok),
        "latency_ms": pa.array(latency, mask=~ok),
        "first_token_ms": pa.array(latency / 3, mask=~ok),
        "tokens_per_second": pa.array(16_000 / latency, mask=~ok),
        "cost_usd": sizes / 4e6 * price,
        "price_in": price,
        "price_out": price * 3,
        "context": [131_072] * count,
    }
    columns = [
        pa.array(known[field.name]).cast(field.type) if field.name in known else pa.nulls(count, field.type)
        for field in HISTORY
    ]
    return pa.Table.from_arrays(columns, schema=HISTORY)


def main() -> None:
    """Make the history, and time the statistics."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    history = History(folder)
    with history.held():
        if not history.parts():
            print(f"{make(history):,} rows in {folder}")
        began = time.perf_counter()
        health = health_of(history, END)
        seconds = time.perf_counter() - began
    series = sum(len(route.days) + len(route.hours) + len(route.daily) + len(route.prices) for route in health.routes)
    began = time.perf_counter()
    page = health_page(health).encode()
    print(f"{health.events:,} events, {len(health.routes)} routes: {seconds:.1f} s; {series:,} points in their series")
    print(f"their page: {time.perf_counter() - began:.1f} s, {len(page) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
