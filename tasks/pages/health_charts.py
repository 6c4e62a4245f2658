"""The charts of the routes' page: of those in use first, as many as a chart can hold."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from tasks.health.records import Health, PriceStep, RouteHealth
from tasks.pages.charts import COLOURS, Chart, Spec, chart, coloured, height_of, lines, over_time
from tasks.pages.figures import count, day, milliseconds, money

MOST_ROUTES = len(COLOURS)
# A line over time has at most so many points.
MOST_POINTS = 120


def health_charts(health: Health) -> list[Chart]:
    """Return the charts that there is something to show in."""
    return [drawn for drawn in (*_by_size(health), *_over_days(health), *_prices(health)) if drawn]


def _shown(routes: Sequence[RouteHealth]) -> Sequence[RouteHealth]:
    """Those in use first, then by how much is known of them."""
    return sorted(routes, key=lambda route: (not route.in_use, -(route.calls + route.probes)))[:MOST_ROUTES]


def _some(shown: Sequence[RouteHealth], of: Sequence[RouteHealth]) -> str:
    return f" {count(len(shown))} of {count(len(of))} routes, those in use first." if len(shown) < len(of) else ""


def _by_size(health: Health) -> Iterator[Chart]:
    known = [route for route in health.routes if sum(one.size is not None for one in route.sizes) > 1]
    shown = _shown(known)
    if not shown:
        return
    values = [
        {
            "size": f"{one.size // 1000}k",
            "n": one.p50 / 1000,
            "series": route.label,
            "said": f"{route.label}, up to {count(one.size)} characters: p50 {milliseconds(one.p50)}, "
            f"p90 {milliseconds(one.p90)}, p99 {milliseconds(one.p99)}",
        }
        for route in shown
        for one in route.sizes
        if one.size is not None
    ]
    rows = [
        (f"{route.label}, {count(one.size)}", count(one.count), *map(milliseconds, (one.p50, one.p90, one.p99)))
        for route in shown
        for one in route.sizes
    ]
    order = [f"{size // 1000}k" for size in sorted({one.size for route in shown for one in route.sizes if one.size})]
    axis = {"title": "characters of the prompt, up to", "labelAngle": 0}
    spec = {
        "data": {"values": values},
        "encoding": {"x": {"field": "size", "type": "ordinal", "sort": order, "axis": axis}},
        "layer": lines(height_of("n", "~s"), _named(shown, health), points=True),
        **_height(shown),
    }
    about = f"The median of the last week, in seconds.{_some(shown, known)}"
    yield chart("Latency by size of the prompt", about, spec, ["route, characters", "n", "p50", "p90", "p99"], rows)


def _over_days(health: Health) -> Iterator[Chart]:
    known = [route for route in health.routes if len(route.latencies) > 1]
    shown = _shown(known)
    if not shown:
        return
    values: list[Mapping[str, Any]] = []
    rows = []
    for route in shown:
        step = -(-len(route.latencies) // MOST_POINTS)
        for one in route.latencies[::step]:
            said = f"{route.label}, {day(one.at)}: p50 {milliseconds(one.p50)}, p90 {milliseconds(one.p90)}"
            values.append({"at": _ms(one.at), "n": one.p50 / 1000, "series": route.label, "said": said})
        last = route.latencies[-1]
        rows.append((route.label, day(last.at), count(last.count), milliseconds(last.p50), milliseconds(last.p90)))
    spec = {**over_time(lines(height_of("n", "~s"), _named(shown, health)), values), **_height(shown)}
    about = f"The median of each day, in seconds, over all sizes.{_some(shown, known)}"
    yield chart("Latency day by day", about, spec, ["route", "last day", "n", "p50", "p90"], rows)


def _prices(health: Health) -> Iterator[Chart]:
    """Steps of those whose price has changed; a prompt's price and an answer's, one to one."""
    known = [route for route in health.routes if len(route.prices) > 1]
    shown = _shown(known)
    if not shown:
        return
    values = [value for route in shown for value in _steps(route, health.at)]
    rows = [
        (f"{route.label}, {day(step.at)}", money(step.price_in), money(step.price_out))
        for route in shown
        for step in route.prices
    ]
    layers = lines(height_of("n", "$~r"), _named(shown, health), step=True)
    spec = {**over_time(layers, values), **_height(shown)}
    about = f"USD for a million tokens in and a million out, where it has changed.{_some(shown, known)}"
    yield chart("Prices", about, spec, ["route, from", "in", "out"], rows)


def _steps(route: RouteHealth, until: datetime) -> Iterator[Mapping[str, Any]]:
    for step in (*route.prices, PriceStep(until, route.prices[-1].price_in, route.prices[-1].price_out)):
        said = f"{route.label}, {day(step.at)}: {money(step.price_in)} in, {money(step.price_out)} out"
        yield {"at": _ms(step.at), "n": step.price_in + step.price_out, "series": route.label, "said": said}


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
    """A legend takes its lines from the height."""
    return {"height": 180 + 14 * len(shown)}


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
