"""Charts to tables: a row a category, a column a series (ECMA-376, part 1, 21.2, and Office's newer charts)."""

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tasks.documents.readers.docx.names import CX, A, C, number
from tasks.documents.readers.docx.tables import markdown_table

NOT_SHOWN = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
DATE = re.compile(r"[yd]", re.IGNORECASE)
EPOCH = dt.date(1899, 12, 30)
LAST_DAY = 2_958_465
LONGEST_CODE = 255


class Series(NamedTuple):
    """A series: the texts of its categories and of its values, by their places."""

    name: str
    categories: dict[int, str]
    values: dict[int, str]


def chart_blocks(tree: Any) -> list[str]:
    """Return a chart's title, those of its axes, and its series as tables in Markdown."""
    titles = [title for element in tree.iter(f"{C}title") if (title := _words(element))]
    series = [_series(element) for element in tree.iter(f"{C}ser")]
    return [*titles, *_tables(series)]


def new_chart_blocks(tree: Any) -> list[str]:
    """Return a chart of the newer kinds (waterfall, funnel, tree map) as `chart_blocks` does."""
    titles = [title for element in tree.iter(f"{CX}title") if (title := _words(element))]
    data = {element.get("id"): element for element in tree.iter(f"{CX}data")}
    series = []
    for element in tree.iter(f"{CX}series"):
        link, name = element.find(f"{CX}dataId"), element.find(f"{CX}tx//{CX}v")
        held = data.get("" if link is None else link.get("val"))
        if held is not None:
            title = "" if name is None else name.text or ""
            series.append(Series(title, _levels(held, f"{CX}strDim", CX), _levels(held, f"{CX}numDim", CX)))
    return [*titles, *_tables(series)]


def _words(element: Any) -> str:
    texts = [part.text or "" for part in element.iter(f"{A}t")] or [part.text or "" for part in element.iter(f"{C}v")]
    return "".join(texts).strip()


def _series(element: Any) -> Series:
    name = element.find(f"{C}tx")
    title = "" if name is None else " ".join(part.text or "" for part in name.iter(f"{C}v"))
    categories = _points(element, "cat") or _points(element, "xVal")
    return Series(title, categories, _points(element, "val") or _points(element, "yVal"))


def _points(element: Any, name: str) -> dict[int, str]:
    """Return the values that were last seen, as they are shown, by their places."""
    held = element.find(f"{C}{name}")
    if held is None:
        return {}
    if held.find(f".//{C}lvl") is not None:
        return _levels(held, f"{C}multiLvlStrRef", C)
    code = held.find(f".//{C}formatCode")
    general = "" if code is None else code.text or ""
    found = {}
    for point in held.iter(f"{C}pt"):
        value = point.find(f"{C}v")
        text = "" if value is None else value.text or ""
        numeric = point.getparent().tag.startswith(f"{C}num")
        found[number(point.get("idx"))] = shown(text, point.get("formatCode", general)) if numeric else text
    return found


def _levels(held: Any, dimension: str, space: str) -> dict[int, str]:
    """Return categories of several levels, the outermost first, or the values of a dimension."""
    levels = []
    for level in (level for element in held.iter(dimension) for level in element.iter(f"{space}lvl")):
        values = {}
        for point in level.iter(f"{space}pt"):
            value = point.find(f"{space}v")
            text = point.text if value is None else value.text
            values[number(point.get("idx"))] = shown(text or "", level.get("formatCode", "General"))
        levels.append(values)
    inner, outer = (levels or [{}])[0], levels[1:]
    found: dict[int, str] = {}
    last = [""] * len(outer)
    for place in sorted(inner):
        last = [values.get(place, before) for values, before in zip(outer, last, strict=True)]
        found[place] = " ".join([*filter(None, reversed(last)), inner[place]])
    return found


def shown(text: str, code: str) -> str:
    """Return a number as its format shows it: without a float's noise, per cent and dates as such."""
    try:
        value = float(text)
    except ValueError:
        return text
    pattern = NOT_SHOWN.sub("", code[:LONGEST_CODE])
    if "%" in pattern:
        return f"{value * 100:.12g}%"
    if DATE.search(pattern) and pattern.lower() != "general" and 0 < value <= LAST_DAY:
        return str(EPOCH + dt.timedelta(days=int(value)))
    return f"{value:.15g}" if "e" not in f"{value:.15g}" else text


def _tables(series: Sequence[Series]) -> Iterator[str]:
    """Yield a table of the series that share their categories, in order."""
    shared: list[Series] = []
    for item in series:
        if shared and item.categories and item.categories != shared[0].categories:
            yield _table(shared)
            shared = []
        shared.append(item)
    if any(item.values for item in shared):
        yield _table(shared)


def _table(series: Sequence[Series]) -> str:
    places = sorted({place for item in series for place in (*item.categories, *item.values)})
    names = [item.name or f"Series {place}" for place, item in enumerate(series, 1)]
    head = series[0].categories
    rows = ([head.get(place, str(place + 1)), *(item.values.get(place, "") for item in series)] for place in places)
    return markdown_table([["", *names], *rows])
