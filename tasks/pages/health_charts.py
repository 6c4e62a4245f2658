"""The charts of the routes' page: of those in use first, as many as a chart can hold."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tasks.monitoring.health_records import Health, RouteHealth
from tasks.monitoring.statistics import LATENCY_DAYS
from tasks.pages.charts import COLOURS, Chart, Spec, chart, coloured, height_of, lines, over_time
from tasks.pages.figures import count, day, milliseconds, money

MOST_ROUTES = len(COLOURS)
# A line over time has at most so many points.
MOST_POINTS = 120


class PricePoint(NamedTuple):
    """A price that is known, in USD per million tokens, from `at` on."""

    at: datetime
    price_in: float
    price_out: float

    @property
    def both(self) -> float:
        """A million tokens in and a million out."""
        return self.price_in + self.price_out


def known_prices(route: RouteHealth) -> list[PricePoint]:
    """Return the steps of which both prices are known, oldest first."""
    return [
        PricePoint(step.since, step.price_in, step.price_out)
        for step in route.prices
        if step.price_in is not None and step.price_out is not None
    ]


def health_charts(health: Health) -> list[Chart]:
    """Return the charts that there is something to show in."""
    return [drawn for drawn in (*_by_size(health), *_over_days(health), *_prices(health)) if drawn]


def _shown(routes: Sequence[RouteHealth]) -> Sequence[RouteHealth]:
    """Return the routes to show: those in use first, then by their number of events."""
    return sorted(routes, key=lambda route: (not route.in_use, -route.events))[:MOST_ROUTES]


def _some(shown: Sequence[RouteHealth], of: Sequence[RouteHealth]) -> str:
    return f" {count(len(shown))} of {count(len(of))} routes, those in use first." if len(shown) < len(of) else ""


def _by_size(health: Health) -> Iterator[Chart]:
    known = [route for route in health.routes if sum(one.most_characters is not None for one in route.latencies) > 1]
    shown = _shown(known)
    if not shown:
        return
    values = [
        {
            "size": f"{one.most_characters // 1000}k",
            "n": one.p50 / 1000,
            "series": route.label,
            "said": f"{route.label}, up to {count(one.most_characters)} characters: p50 {milliseconds(one.p50)}, "
            f"p90 {milliseconds(one.p90)}, p99 {milliseconds(one.p99)}",
        }
        for route in shown
        for one in route.latencies
        if one.most_characters is not None
    ]
    rows = [
        (
            f"{route.label}, {count(one.most_characters)}",
            count(one.count),
            *map(milliseconds, (one.p50, one.p90, one.p99)),
        )
        for route in shown
        for one in route.latencies
    ]
    order = [
        f"{size // 1000}k"
        for size in sorted({one.most_characters for route in shown for one in route.latencies if one.most_characters})
    ]
    axis = {"title": "characters of the prompt, up to", "labelAngle": 0}
    spec = {
        "data": {"values": values},
        "encoding": {"x": {"field": "size", "type": "ordinal", "sort": order, "axis": axis}},
        "layer": lines(height_of("n", "~s"), _named(shown, health), points=True),
        **_height(shown),
    }
    about = f"The median of the last {LATENCY_DAYS} days, in seconds.{_some(shown, known)}"
    yield chart("Latency by size of the prompt", about, spec, ["route, characters", "n", "p50", "p90", "p99"], rows)


def _over_days(health: Health) -> Iterator[Chart]:
    known = [route for route in health.routes if len(route.daily) > 1]
    shown = _shown(known)
    if not shown:
        return
    values: list[Mapping[str, Any]] = []
    rows = []
    for route in shown:
        step = -(-len(route.daily) // MOST_POINTS)
        for one in route.daily[::step]:
            said = f"{route.label}, {one.day.isoformat()}: p50 {milliseconds(one.p50)}, p90 {milliseconds(one.p90)}"
            values.append(
                {
                    "at": _ms(datetime.combine(one.day, datetime.min.time(), UTC)),
                    "n": one.p50 / 1000,
                    "series": route.label,
                    "said": said,
                }
            )
        last = route.daily[-1]
        rows.append(
            (route.label, last.day.isoformat(), count(last.count), milliseconds(last.p50), milliseconds(last.p90))
        )
    spec = {**over_time(lines(height_of("n", "~s"), _named(shown, health)), values), **_height(shown)}
    about = f"The median of each day, in seconds, over all sizes.{_some(shown, known)}"
    yield chart("Latency day by day", about, spec, ["route", "last day", "n", "p50", "p90"], rows)


def _prices(health: Health) -> Iterator[Chart]:
    """Steps of those whose price has changed; a prompt's price and an answer's, one to one."""
    known = [route for route in health.routes if len(known_prices(route)) > 1]
    shown = _shown(known)
    if not shown:
        return
    values = [value for route in shown for value in _steps(route, health.at)]
    rows = [
        (f"{route.label}, {day(step.at)}", money(step.price_in), money(step.price_out))
        for route in shown
        for step in known_prices(route)
    ]
    layers = lines(height_of("n", "$~r"), _named(shown, health), step=True)
    spec = {**over_time(layers, values), **_height(shown)}
    about = f"USD for a million tokens in and a million out, where it has changed.{_some(shown, known)}"
    yield chart("Prices", about, spec, ["route, from", "in", "out"], rows)


def _steps(route: RouteHealth, until: datetime) -> Iterator[Mapping[str, Any]]:
    steps = known_prices(route)
    for step in (*steps, steps[-1]._replace(at=until)):
        said = f"{route.label}, {day(step.at)}: {money(step.price_in)} in, {money(step.price_out)} out"
        yield {"at": _ms(step.at), "n": step.both, "series": route.label, "said": said}


def _named(shown: Sequence[RouteHealth], health: Health) -> Spec:
    """A route has one colour in all charts; its names stand in one column, for they are long."""
    usual = dict(zip((route.label for route in _shown(health.routes)), COLOURS, strict=False))
    names = [route.label for route in shown]
    taken = {usual[name] for name in names if name in usual}
    free = iter([colour for colour in COLOURS if colour not in taken])
    colours = [usual.get(name) or next(free) for name in names]
    legend = {"columns": 1, "labelLimit": 240}
    return {**coloured(names, colours=colours), **({"legend": legend} if len(names) > 1 else {})}


def _height(shown: Sequence[RouteHealth]) -> Spec:
    """Return a height with room for a legend line per route."""
    return {"height": 180 + 14 * len(shown)}


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
