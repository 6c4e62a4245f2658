"""The statistics of each route, computed over one connection to the history's parts."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import duckdb

from tasks.calls.estimate import CHARACTERS_A_TOKEN
from tasks.dispatch.retry import ROUTE_WIDE
from tasks.monitoring.event_history import History, connected, plain
from tasks.monitoring.health_records import (
    BUCKETS,
    DayLatency,
    ErrorCount,
    Health,
    Kind,
    Latency,
    PriceStep,
    RouteHealth,
    State,
    Strip,
    Uptime,
)

# Errors that count against a route's uptime; all others concern a single call.
ROUTE_ERRORS = ROUTE_WIDE | {
    "account_refused", "certificate_refused", "model_unknown", "route_down", "error_in_answer", "http_408",
    "list_failed", "not_listed",
}  # fmt: skip
LATENCY_DAYS, STRIP_HOURS, STRIP_DAYS = 30, 48, 366
LARGEST = len(BUCKETS)

# The view `e`: an event with its route's number, whether it shows that up (null: neither), and the prompt's bucket.
_VIEW = """
create temp table routes as
select row_number() over (order by provider, model nulls first, kind) - 1 as route, * from
(select distinct provider, model, kind from events);
create temp view e as
select r.route, moment, source, ok, error_kind, first_token_ms, latency_ms, tokens_per_second, cost_usd,
       price_in, price_out, context,
       case when ok then true
            when error_kind in ({kinds}) or starts_with(error_kind, 'http_5') then false end as is_up,
       case {cases} else {largest} end as bucket
from events e join routes r
on e.provider = r.provider and e.model is not distinct from r.model and e.kind = r.kind;
"""
_CHARACTERS = f"coalesce(prompt_characters, {CHARACTERS_A_TOKEN} * prompt_tokens)"
_QUERIES = {
    "totals": """
select route, max(moment), count(*), count(*) filter (where source = 'probe'), coalesce(sum(cost_usd), 0),
       coalesce(max(moment) filter (where source = 'call') > $now - interval 7 day, false),
       arg_max(is_up, moment) filter (where is_up is not null and moment > $now - interval 1 day),
       arg_max(coalesce(error_kind, ''), moment), arg_max(context, moment),
       avg(is_up::int) filter (where moment > $now - interval 1 hour),
       avg(is_up::int) filter (where moment > $now - interval 1 day),
       avg(is_up::int) filter (where moment > $now - interval 7 day)
from e where moment <= $now group by route""",
    "latencies": """
select route, bucket, count(*), quantile_cont(latency_ms, [0.5, 0.9, 0.99])
from e where ok and latency_ms is not null and moment between $latency_since and $now
group by grouping sets ((route, bucket), (route)) order by all""",
    "speeds": """
select route, quantile_cont(first_token_ms, 0.5), quantile_cont(tokens_per_second, 0.5)
from e where ok and moment between $latency_since and $now group by route""",
    "errors": """
select route, error_kind, count(*) as times, max(moment)
from e where not ok and error_kind is not null and moment between $latency_since and $now
group by route, error_kind order by route, times desc, error_kind""",
    "prices": """
select route, moment, price_in, price_out from (
  select route, moment, price_in, price_out,
         lag((price_in, price_out)) over (partition by route order by moment) as before
  from e where price_in is not null and moment <= $now)
where before is null or before is distinct from (price_in, price_out) order by route, moment""",
    "hours": """
select route, date_trunc('hour', moment) as start, count(is_up), count(*) filter (where is_up)
from e where is_up is not null and moment between $hours_since and $now group by all order by all""",
    "days": """
select route, date_trunc('day', moment) as start, count(is_up), count(*) filter (where is_up)
from e where is_up is not null and moment between $days_since and $now group by all order by all""",
    "daily": """
select route, moment::date as day, count(*), quantile_cont(latency_ms, [0.5, 0.9])
from e where ok and latency_ms is not null and moment between $days_since and $now group by all order by all""",
}
Rows = dict[int, list[tuple[Any, ...]]]


class ProbeTotals(NamedTuple):
    """A row of the query of that name, without its route."""

    last_at: datetime
    events: int
    probes: int
    cost: float
    called: bool
    is_up: bool | None
    error: str
    context: int | None
    hour: float | None
    day: float | None
    week: float | None


def health_of(history: History, now: datetime, named: Collection[tuple[str, str]] = ()) -> Health:
    """Return what the history tells of all its routes; those `named` (provider, model) are in use too.

    Latencies, speeds and errors are those of the last 30 days. Hold the history. Raises StorageFailed.
    """
    with connected(history.parts()) as base:
        _prepare(base)
        found = {name: _by_route(_run(base, query, now)) for name, query in _QUERIES.items()}
        routes = base.execute("select route, provider, model, kind from routes order by route").fetchall()
        counted = base.execute("select count(*) from events").fetchone()
    told = [
        _route(provider, model, kind, {name: rows.get(number, []) for name, rows in found.items()}, named)
        for number, provider, model, kind in routes
        if number in found["totals"]
    ]
    return Health(now, tuple(told), events=int(counted[0]) if counted else 0)


def _prepare(base: duckdb.DuckDBPyConnection) -> None:
    cases = " ".join(f"when {_CHARACTERS} <= {most} then {number}" for number, most in enumerate(BUCKETS))
    kinds = ", ".join(f"'{kind}'" for kind in sorted(ROUTE_ERRORS))
    base.execute(_VIEW.format(kinds=kinds, cases=cases, largest=LARGEST))


def _run(base: duckdb.DuckDBPyConnection, query: str, now: datetime) -> list[tuple[Any, ...]]:
    now = plain(now)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    times = {
        "now": now,
        "latency_since": now - timedelta(days=LATENCY_DAYS),
        "hours_since": now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=STRIP_HOURS - 1),
        "days_since": midnight - timedelta(days=STRIP_DAYS - 1),
    }
    return base.execute(query, {name: time for name, time in times.items() if f"${name}" in query}).fetchall()


def _by_route(rows: Iterable[tuple[Any, ...]]) -> Rows:
    found: Rows = defaultdict(list)
    for route, *values in rows:
        found[route].append(tuple(values))
    return dict(found)


def _route(
    provider: str,
    model: str | None,
    kind: Kind,
    rows: Mapping[str, list[tuple[Any, ...]]],
    named: Collection[tuple[str, str]],
) -> RouteHealth:
    totals = ProbeTotals(*rows["totals"][0])
    sizes = [(bucket, Latency(_bound(bucket), count, *three)) for bucket, count, three in rows["latencies"]]
    whole = next((latency for bucket, latency in sizes if bucket is None), None)
    first_token, speed = rows["speeds"][0] if rows["speeds"] else (None, None)
    prices = tuple(PriceStep(_utc(at), *price) for at, *price in rows["prices"])
    state: State = "unknown" if totals.is_up is None else "up" if totals.is_up else "down"
    return RouteHealth(
        provider=provider,
        model=model,
        kind=kind,
        state=state,
        in_use=totals.called or (provider, model) in named,
        last_at=_utc(totals.last_at),
        last_error=totals.error or None,
        events=totals.events,
        probes=totals.probes,
        uptime=Uptime(totals.hour, totals.day, totals.week),
        latencies=tuple(latency for bucket, latency in sizes if bucket is not None),
        latency_p50=whole.p50 if whole else None,
        latency_p90=whole.p90 if whole else None,
        latency_p99=whole.p99 if whole else None,
        first_token_p50=first_token,
        tokens_per_second=speed,
        errors=tuple(ErrorCount(kind, count, _utc(at)) for kind, count, at in rows["errors"]),
        price_in=prices[-1].price_in if prices else None,
        price_out=prices[-1].price_out if prices else None,
        prices=prices,
        context=totals.context,
        cost_usd=totals.cost,
        hours=tuple(Strip(_utc(start), *counts) for start, *counts in rows["hours"]),
        days=tuple(Strip(_utc(start), *counts) for start, *counts in rows["days"]),
        daily=tuple(DayLatency(day, count, *two) for day, count, two in rows["daily"]),
    )


def _bound(bucket: int | None) -> int | None:
    return None if bucket is None or bucket >= LARGEST else BUCKETS[bucket]


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)
