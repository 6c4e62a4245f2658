"""The page of all routes: which answer, how fast, how reliably, at what price, and what one's own use tells."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tasks.health.records import SIZES, Health, Latency, RouteHealth
from tasks.pages.figures import count
from tasks.pages.health_charts import health_charts
from tasks.pages.page import page
from tasks.pages.site import JobLine
from tasks.pages.strips import Cell, hours_of, spark, weeks_of

STATES = {"up": "good", "down": "bad", "unknown": "quiet"}
JOB_TONES = {"done": "good", "paused": "warn", "failed": "bad", "running": "quiet"}


class RouteLine(NamedTuple):
    """A route with its drawings; `sizes` are its latencies by SIZES, None where none were measured."""

    route: RouteHealth
    tone: str
    hours: Sequence[Cell]
    weeks: Sequence[Cell]
    spark: str
    sizes: Sequence[Latency | None]


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
        sizes=SIZES,
        sizes_heads=[f"#\N{LESS-THAN OR EQUAL TO}{size // 1000}k" for size in SIZES],
        providers=list(_providers(routes)),
        prices=[_price(route) for route in routes if route.price],
        charts=health_charts(health),
        spent=sum(route.cost_usd or 0.0 for route in routes),
        probes=sum(route.probes for route in routes),
        calls=sum(route.calls for route in routes),
        states={state: sum(route.state == state for route in routes) for state in STATES},
        jobs=jobs,
        tones=JOB_TONES,
    )


def _sentence(routes: Sequence[RouteHealth]) -> str:
    """Say how many answer, and which of those in use don't."""
    down = [route.label for route in routes if route.state == "down" and route.in_use]
    if not routes:
        return "No route has been looked at yet."
    up = sum(route.state == "up" for route in routes)
    used = f"; of those in use, {', '.join(down)} {'is' if len(down) == 1 else 'are'} down" if down else ""
    return f"{count(up)} of {count(len(routes))} routes answer{used}."


def _line(route: RouteHealth, health: Health) -> RouteLine:
    known = {one.size: one for one in route.sizes}
    return RouteLine(
        route,
        STATES[route.state],
        hours_of(route.hours, health.at),
        weeks_of(route.days, health.at),
        spark(route.latencies),
        [known.get(size) for size in SIZES],
    )


def _providers(routes: Sequence[RouteHealth]) -> Iterator[ProviderLine]:
    """Yield providers, the most reliable first; those nobody looked at come last."""
    lines = []
    for name in dict.fromkeys(route.provider for route in routes):
        own = [route for route in routes if route.provider == name]
        looks = sum(route.week.looks for route in own)
        answered = sum((route.week.share or 0.0) * route.week.looks for route in own)
        kinds: dict[str, int] = {}
        for error in (error for route in own for error in route.errors):
            kinds[error.kind] = kinds.get(error.kind, 0) + error.count
        worst = max(kinds, key=kinds.__getitem__, default=None)
        up = sum(route.state == "up" for route in own)
        share = answered / looks if looks else None
        lines.append(ProviderLine(name, len(own), up, looks, share, sum(kinds.values()), worst))
    yield from sorted(lines, key=lambda line: (line.share is None, -(line.share or 0.0), line.provider))


def _price(route: RouteHealth) -> PriceLine:
    steps = route.prices
    if len(steps) < 2:
        return PriceLine(route, 0, None)
    first, last = (step.price_in + step.price_out for step in (steps[0], steps[-1]))
    return PriceLine(route, len(steps) - 1, last / first - 1 if first else None)
