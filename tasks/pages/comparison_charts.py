"""The charts of a comparison: what all documents would cost and take, and cost against latency."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tasks.comparison.comparison_records import Compared
from tasks.pages.charts import SAID, Chart, Spec, chart
from tasks.pages.figures import count, duration, money

FRONT, REST = "var(--c1)", "var(--c8)"
# A scale is logarithmic if its largest value is more than this many times the smallest.
FAR = 20
_PLAIN = "format(datum.value, ',~r')"
_DOLLARS = "'$' + format(datum.value, ',~r')"
# Seconds of the units that an axis of time may have.
_UNITS = ((86_400, "days"), (3600, "h"), (60, "min"), (1, "s"))


class Axis(NamedTuple):
    """One of two measures: its title, its value at a route, and its format on an axis and in text."""

    title: str
    value: Callable[[Compared], float | None]
    label: str
    said: Callable[[float | None], str]


def letters_of(routes: Sequence[Compared]) -> Mapping[str, str]:
    """Return a short sign for each route: A to Z, then A1 and so on."""
    return {
        one.route: chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")
        for number, one in enumerate(routes)
    }


def comparison_charts(routes: Sequence[Compared], documents: int) -> Iterator[Chart]:
    """Draw the routes that were measured; nothing where none was."""
    price = Axis(f"USD for {count(documents)} documents", lambda one: one.projected.cost_usd, _DOLLARS, money)
    longest = max((one.projected.seconds or 0 for one in routes), default=0)
    unit, name = next((unit for unit in _UNITS if longest >= 2 * unit[0]), _UNITS[-1])
    time = Axis(f"time in {name}", lambda one: _over(one.projected.seconds, unit), _PLAIN, _said(unit))
    about = "Projected for all documents; no other route beats the blue ones in both."
    yield from _scatter("Price and time of the whole job", about, routes, price, time)
    each = Axis("USD a document", _a_document, _DOLLARS, money)
    latency = Axis("latency of a call in s", lambda one: _over(one.measured.latency_p50, 1000), _PLAIN, duration)
    about = "As measured over the sample; the line goes from p50 to p90."
    yield from _scatter(
        "Cost and latency", about, routes, each, latency, lambda one: _over(one.measured.latency_p90, 1000)
    )


def _over(value: float | None, unit: float) -> float | None:
    return None if value is None else value / unit


def _said(unit: float) -> Callable[[float | None], str]:
    return lambda value: duration(None if value is None else value * unit)


def _a_document(one: Compared) -> float | None:
    answered = one.measured.done + one.measured.partial
    return None if one.measured.cost_usd is None or not answered else one.measured.cost_usd / answered


def _scatter(
    title: str,
    about: str,
    routes: Sequence[Compared],
    across: Axis,
    up: Axis,
    most: Callable[[Compared], float | None] = lambda _: None,
) -> Iterator[Chart]:
    letters = letters_of(routes)
    values, rows = [], []
    for one in routes:
        x, y = across.value(one), up.value(one)
        rows.append((letters[one.route], one.route, across.said(x), up.said(y)))
        if x is not None and y is not None:
            said = f"{letters[one.route]}  {one.route}: {across.said(x)}, {up.said(y)}"
            top = most(one)
            values.append({"x": x, "y": y, "top": y if top is None else top, "front": one.on_front, "said": said,
                           "letter": letters[one.route]})  # fmt: skip
    if values:
        missing = len(routes) - len(values)
        unknown = f" {count(missing)} of {count(len(routes))} can't be placed." if missing else ""
        spec = _spec(values, across, up)
        yield chart(title, about + unknown, spec, ["", "route", across.title, up.title], rows)


def _spec(values: Sequence[Mapping[str, Any]], across: Axis, up: Axis) -> Spec:
    colour = {"condition": {"test": "datum.front", "value": FRONT}, "value": REST}
    x = _place("x", across, [value["x"] for value in values])
    y = _place("y", up, [end for value in values for end in (value["y"], value["top"])])
    front = {
        "transform": [{"filter": "datum.front"}],
        "mark": {"type": "line", "aria": False, "interpolate": "step-after", "color": FRONT, "opacity": 0.5},
        "encoding": {"x": x, "y": y, "order": {"field": "x"}},
    }
    reach = {
        "mark": {"type": "rule", "aria": False, "strokeWidth": 1.5, "opacity": 0.6},
        "encoding": {"x": x, "y": y, "y2": {"field": "top"}, "color": colour},
    }
    spots = {
        "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
        "encoding": {"x": x, "y": y, "color": colour, "description": SAID},
    }
    names = {
        "mark": {"type": "text", "aria": False, "dx": 9, "align": "left", "fontWeight": "bold"},
        "encoding": {"x": x, "y": y, "text": {"field": "letter"}},
    }
    spans = any(value["top"] != value["y"] for value in values)
    return {"data": {"values": list(values)}, "height": 260, "layer": [reach if spans else front, spots, names]}


def _place(field: str, axis: Axis, values: Sequence[float]) -> Spec:
    low, high = min(values), max(values)
    far = low > 0 and high / low > FAR
    scale = {"type": "log", "nice": True} if far else {"zero": True, "nice": True}
    how = {"title": axis.title, "labelExpr": axis.label, "grid": True, "labelOverlap": "greedy", "labelSeparation": 8}
    if far:
        tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        how["values"] = [times * 10.0**ten for ten in tens for times in ((1, 2, 5) if len(tens) < 5 else (1,))]
    else:
        how["tickCount"] = 4
    return {"field": field, "type": "quantitative", "scale": scale, "axis": how}
