"""The page of all routes: which ones answer, how fast, how reliably and at what price, with advice from own use."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from tasks.monitoring.health_records import BUCKETS, Health, Latency, RouteHealth, Strip
from tasks.monitoring.statistics import LATENCY_DAYS
from tasks.pages.figures import count
from tasks.pages.health_charts import PricePoint, health_charts, known_prices
from tasks.pages.page import page, write_page
from tasks.pages.site import JobLine
from tasks.pages.strips import StripCell, hours_of, spark, weeks_of
from tasks.results.location import Folder

STATES = {"up": "good", "down": "bad", "unknown": "quiet"}
JOB_TONES = {"done": "good", "paused": "warn", "failed": "bad", "running": "quiet"}


class RouteLine(NamedTuple):
    """A route with its drawings; `sizes` are its latencies by BUCKETS, None where there are none; `looks` of a week."""

    route: RouteHealth
    tone: str
    hours: Sequence[StripCell]
    weeks: Sequence[StripCell]
    spark: str
    sizes: Sequence[Latency | None]
    looks: int


class ProviderLine(NamedTuple):
    """A provider over the last week; looks are over all of its routes."""

    provider: str
    routes: int
    up: int
    looks: int
    share: float | None
    errors: int
    worst: str | None


class PriceLine(NamedTuple):
    """What a route's price did; `change` is of a prompt's and an answer's price together, against the first known."""

    route: RouteHealth
    now: PricePoint
    steps: int
    change: float | None


def health_page(health: Health, *, live: bool = False, jobs: Sequence[JobLine] | None = None) -> str:
    """Return the page of all routes; a live one has the list of jobs, too."""
    routes = health.routes
    return page(
        "health.html",
        live=live,
        health=health,
        sentence=_sentence(routes),
        lines=[_line(route, health) for route in routes],
        sizes=BUCKETS,
        latency_days=LATENCY_DAYS,
        sizes_heads=[f"#\N{LESS-THAN OR EQUAL TO}{size // 1000}k" for size in BUCKETS],
        providers=list(_providers(health)),
        prices=[_price(route) for route in routes if known_prices(route)],
        charts=health_charts(health),
        since=min((strip.start for route in routes for strip in route.days), default=None),
        spent=sum(route.cost_usd for route in routes),
        probes=sum(route.probes for route in routes),
        calls=sum(route.events - route.probes for route in routes),
        states={state: sum(route.state == state for route in routes) for state in STATES},
        jobs=jobs,
        tones=JOB_TONES,
    )


def overview(health: Callable[[], Health]) -> Callable[[list[JobLine]], str]:
    """Return a function that makes the first page of a JobSite: the current state of the routes, and all jobs."""
    return lambda jobs: health_page(health(), live=True, jobs=jobs)


def write_health_page(folder: Folder, health: Health) -> None:
    """Write the page of all routes into a folder, whole or not at all. Raises StorageFailed."""
    write_page(folder, health_page(health))


def _sentence(routes: Sequence[RouteHealth]) -> str:
    """Say how many answer, and which of those in use don't."""
    down = [route.label for route in routes if route.state == "down" and route.in_use]
    if not routes:
        return "No route has been looked at yet."
    up = sum(route.state == "up" for route in routes)
    used = f"; of those in use, {', '.join(down)} {'is' if len(down) == 1 else 'are'} down" if down else ""
    return f"{count(up)} of {count(len(routes))} routes answer{used}."


def _line(route: RouteHealth, health: Health) -> RouteLine:
    known = {one.most_characters: one for one in route.latencies}
    return RouteLine(
        route,
        STATES[route.state],
        hours_of(route.hours, health.at),
        weeks_of(route.days, health.at),
        spark(route.daily),
        [known.get(size) for size in BUCKETS],
        sum(strip.count for strip in _week(route, health)),
    )


def _week(route: RouteHealth, health: Health) -> list[Strip]:
    return [strip for strip in route.days if strip.start > health.at - timedelta(7)]


def _providers(health: Health) -> Iterator[ProviderLine]:
    """Yield providers, the most reliable first; those without events of the last week come last."""
    lines, routes = [], health.routes
    for name in dict.fromkeys(route.provider for route in routes):
        own = [route for route in routes if route.provider == name]
        days = [strip for route in own for strip in _week(route, health)]
        looks, answered = sum(strip.count for strip in days), sum(strip.ok for strip in days)
        kinds: dict[str, int] = {}
        for error in (error for route in own for error in route.errors):
            kinds[error.kind] = kinds.get(error.kind, 0) + error.count
        worst = max(kinds, key=kinds.__getitem__, default=None)
        up = sum(route.state == "up" for route in own)
        share = answered / looks if looks else None
        lines.append(ProviderLine(name, len(own), up, looks, share, sum(kinds.values()), worst))
    yield from sorted(lines, key=lambda line: (line.share is None, -(line.share or 0.0), line.provider))


def _price(route: RouteHealth) -> PriceLine:
    steps = known_prices(route)
    first, last = (step.both for step in (steps[0], steps[-1]))
    change = last / first - 1 if first and len(steps) > 1 else None
    return PriceLine(route, steps[-1], len(steps) - 1, change)
