"""Charts, drawn by Vega-Lite into SVG when the page is made: nothing is left to run in it.

A chart is drawn twice, for narrow screens and for wide ones, and stands beside the rows
that it shows. Colours are the page's own, so that they follow light and dark.
"""

import functools
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from markupsafe import Markup, escape

NARROW, WIDE = 332, 540
HEIGHT = 190
VERSION = "6.4"
FONT = "system-ui, sans-serif"
COLOURS = ("var(--c1)", "var(--c2)", "var(--c3)", "var(--c4)", "var(--c5)", "var(--c6)", "var(--c7)", "var(--c8)")
Spec = Mapping[str, Any]
Values = Sequence[Mapping[str, Any]]

_CONFIG = {
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "aria": False,
        "domainColor": "var(--rule)",
        "gridColor": "var(--rule)",
        "gridOpacity": 0.6,
        "tickColor": "var(--rule)",
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "labelPadding": 4,
        "title": None,
    },
    "axisX": {"grid": False, "tickSize": 4},
    "axisY": {"domain": False, "ticks": False, "tickCount": 4},
    "legend": {
        "aria": False,
        "orient": "top",
        "title": None,
        "labelColor": "var(--ink)",
        "labelFontSize": 11,
        "labelLimit": 150,
        "symbolSize": 60,
        "offset": 6,
        "symbolStrokeWidth": 2,
    },
    "text": {"fill": "var(--ink)", "fontSize": 11},
}
# The format of times on an axis that spans fewer than this many seconds.
_CLOCKS = ((300, "%H:%M:%S"), (100_000, "%H:%M"), (864_000, "%b %-d, %H:%M"), (4e7, "%b %-d"), (math.inf, "%b %Y"))
# Zero has no unit, and short numbers are written out.
_LABEL = (
    "datum.value === 0 ? '0' : datum.value < 1 ? format(datum.value, '~r') : "
    "datum.value >= 100 && datum.value < 10000 ? format(datum.value, ',') : datum.label"
)
_PLACES = re.compile(r'(?<= )(?:d|transform|x2|y2|x|y|width|height)="[^"]*"')
_LONG = re.compile(r"-?\d+\.\d{2,}")
_NAMES = re.compile(r'((?:id|href|xlink:href)="#?|url\(#)((?:clip|gradient)[\w-]*)')


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure: its title, what it shows in a sentence, two drawings (or none), and the rows behind them as text."""

    title: str
    about: str
    narrow: Markup
    wide: Markup
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def chart(title: str, about: str, spec: Spec, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Chart:
    """Draw a chart of a Vega-Lite specification, which holds its values and no size but maybe a height.

    Without the `pages` extra nothing is drawn: the rows stand alone.
    """
    if not can_draw():
        return Chart(title, about, Markup(), Markup(), columns, rows)
    return Chart(title, about, _drawn(title, spec, NARROW), _drawn(title, spec, WIDE), columns, rows)


def _drawn(title: str, spec: Spec, width: int) -> Markup:
    whole = {
        "height": HEIGHT,
        **spec,
        "width": width,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": 8, "right": 8, "top": 2, "bottom": 2},
        "config": _CONFIG,
    }
    svg = _svg(json.dumps(whole))
    # The library escapes the descriptions of marks; only coordinates are changed here.
    svg = _PLACES.sub(lambda place: _LONG.sub(lambda number: f"{float(number[0]):.1f}", place[0]), svg)
    own = hashlib.sha256(svg.encode()).hexdigest()[:8]
    svg = _NAMES.sub(rf"\1c{own}\2", svg)
    label = escape(title)
    return Markup(svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1))  # noqa: S704 - as above


@functools.cache
def can_draw() -> bool:
    """Whether the package that draws is installed."""
    return find_spec("vl_convert") is not None


# A live page is rendered every few seconds, and most of its charts haven't changed.
@functools.lru_cache(maxsize=128)
def _svg(spec: str) -> str:
    """Draw a whole specification, given as JSON."""
    import vl_convert  # noqa: PLC0415 - the `pages` extra brings it

    svg: str = vl_convert.vegalite_to_svg(spec, vl_version=VERSION)
    return svg


def over_time(layers: Sequence[Spec], values: Values) -> Spec:
    """Return a specification over time (`at`: ms since 1970, shown in UTC)."""
    moments = [value["at"] for value in values]
    span = (max(moments) - min(moments)) / 1000 if moments else 0
    form = next(form for most, form in _CLOCKS if span < most)
    axis = {"labelOverlap": "greedy", "labelSeparation": 8, "labelFlush": False, "tickCount": 5, "format": form}
    when = {"field": "at", "type": "temporal", "scale": {"type": "utc"}, "axis": axis}
    return {"data": {"values": list(values)}, "encoding": {"x": when}, "layer": list(layers)}


def coloured(names: Sequence[str], field: str = "series", colours: Sequence[str] = COLOURS) -> Spec:
    """Return the colour of a series by its name, with a legend where there are several."""
    scale = {"domain": list(names), "range": [colours[number % len(colours)] for number in range(len(names))]}
    legend: Spec = {} if len(names) > 1 else {"legend": None}
    return {"field": field, "type": "nominal", "scale": scale, **legend}


def height_of(field: str, form: str = "~s", **scale: Any) -> Spec:
    """Return a vertical axis of numbers, in d3's format."""
    return {
        "field": field,
        "type": "quantitative",
        "axis": {"format": form, "labelExpr": _LABEL if form == "~s" else "datum.value === 0 ? '0' : datum.label"},
        "scale": {"nice": True, **scale},
    }


SAID: Spec = {"field": "said", "type": "nominal"}


def lines(y: Spec, colour: Spec, *, area: bool = False, step: bool = False, points: bool = False) -> Sequence[Spec]:
    """Return the layers of lines, with marks whose description (`said`) shows when pointed at."""
    shape = {"interpolate": "step-after"} if step else {}
    drawn = (
        {"type": "area", "aria": False, "line": {"aria": False}, "fillOpacity": 0.25, **shape}
        if area
        else {"type": "line", "aria": False, "strokeWidth": 1.75, **shape}
    )
    spot = {"type": "point", "filled": True, "size": 22 if points else 220, "opacity": 1 if points else 0}
    return [
        {"mark": drawn, "encoding": {"y": y, "color": colour}},
        {"mark": spot, "encoding": {"y": y, "color": colour, "description": SAID}},
    ]


def bars(y: Spec, colour: Spec, end: str = "until") -> Sequence[Spec]:
    """Return a layer of bars over time, each from `at` to `until`."""
    place = {"x2": {"field": end}, "y": y, "y2": {"datum": 0}}
    return [{"mark": {"type": "rect"}, "encoding": {**place, "color": colour, "description": SAID}}]
