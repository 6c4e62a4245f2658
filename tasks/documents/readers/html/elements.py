"""What begins with each element of HTML, and what is to be done at its end."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tasks.documents.readers.html.flow import FENCE, Flow
from tasks.documents.readers.html.form import SelectChoice, value_of
from tasks.documents.readers.html.formula import MathFormula
from tasks.documents.readers.html.grid import SECTIONS, HtmlCell, HtmlGrid
from tasks.documents.readers.html.numbering import ListNumbering, integer

if TYPE_CHECKING:
    from tasks.documents.readers.html.page import HtmlPage

Attributes = Mapping[str, str]
Start = Callable[["HtmlPage", Attributes], None]

CODE = "`"
MARKS = {
    "b": "**", "strong": "**", "i": "*", "em": "*", "del": "~~", "s": "~~", "strike": "~~",
    "code": "`", "kbd": "`", "samp": "`",
}  # fmt: skip
MOST_COLUMNS = 1000  # a cell may span (HTML Living Standard, 4.9.11)
TICKS = re.compile(r"`{3,}")


def _title(page: "HtmlPage", _: Attributes) -> None:
    page.in_title = page.seen
    page.at_end(lambda: setattr(page, "in_title", False))


def _break(page: "HtmlPage", _: Attributes) -> None:
    page.line.end()


def _rule(page: "HtmlPage", _: Attributes) -> None:
    page.flow.blocks.append("---")


def _heading(level: int) -> Start:
    def start(page: "HtmlPage", _: Attributes) -> None:
        page.heading = "#" * level + " "
        page.at_end(lambda: end(page))

    def end(page: "HtmlPage") -> None:
        page.break_()
        page.heading = ""

    return start


def _emphasis(mark: str) -> Start:
    def start(page: "HtmlPage", _: Attributes) -> None:
        if mark == CODE or not page.line.depths.get(CODE):  # in code, a mark would be read as a part of it
            page.line.mark(mark)
            page.at_end(lambda: page.line.unmark(mark))

    return start


def _list(*, ordered: bool) -> Start:
    def start(page: "HtmlPage", attributes: Attributes) -> None:
        page.lists.append(ListNumbering(attributes, ordered=ordered))
        page.at_end(lambda: page.lists.pop().end())

    return start


def _item(page: "HtmlPage", attributes: Attributes) -> None:
    numbering = page.lists[-1] if page.lists else ListNumbering({}, ordered=False)
    _nest(page, numbering.item(attributes, nested=bool(page.flow.first)))


def _nest(page: "HtmlPage", flow: Flow) -> None:
    page.flow.blocks.append(flow)
    page.within(flow)


def _definitions(page: "HtmlPage", _: Attributes) -> None:
    page.definitions.append(page.flow)
    page.at_end(lambda: _drop(page.definitions))


def _drop(flows: list[Flow]) -> None:
    flows.pop()


def _term(page: "HtmlPage", _: Attributes) -> None:
    if page.definitions:
        page.within(page.definitions[-1])  # however the definition before it was left open


def _definition(page: "HtmlPage", _: Attributes) -> None:
    around = page.definitions[-1] if page.definitions else page.flow
    flow = Flow(":   ", "    ", tight=bool(around.blocks))
    around.blocks.append(flow)
    page.within(flow)


def _quotation(page: "HtmlPage", _: Attributes) -> None:
    _nest(page, Flow("> ", "> "))


def _quoted(page: "HtmlPage", _: Attributes) -> None:
    page.line.put('"')
    page.at_end(lambda: page.line.put('"'))


def _link(page: "HtmlPage", _: Attributes) -> None:
    if page.linked:
        page.line.apart()  # the words of two links are never one
    page.at_end(lambda: setattr(page, "linked", True))


def _verbatim(page: "HtmlPage", _: Attributes) -> None:
    page.verbatim = []
    page.at_end(lambda: _end_verbatim(page))


def _end_verbatim(page: "HtmlPage") -> None:
    text = "".join(page.verbatim or ()).replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    page.verbatim = None
    if text.strip():
        longest = max(map(len, TICKS.findall(text)), default=len(FENCE) - 1)
        fence = "`" * (longest + 1)
        page.flow.blocks.append(f"{fence}\n{text.rstrip()}\n{fence}")
        if "\n" in text:
            page.set_apart()


def _input(page: "HtmlPage", attributes: Attributes) -> None:
    if page.seen and (value := value_of(attributes)):
        page.line.apart()
        page.line.put(value)
        page.line.apart()


def _select(page: "HtmlPage", attributes: Attributes) -> None:
    page.choice = SelectChoice(attributes)
    page.at_end(lambda: _end_select(page))


def _end_select(page: "HtmlPage") -> None:
    text = page.choice.text() if page.choice else ""
    page.choice = None
    page.line.apart()
    if text:
        page.line.put(text)
    page.line.apart()


def _option(page: "HtmlPage", attributes: Attributes) -> None:
    if page.choice:
        page.choice.begin(attributes)
        page.at_end(page.choice.end)


def _text_area(page: "HtmlPage", _: Attributes) -> None:
    preserved, page.preserved = page.preserved, True
    page.line.apart()
    page.at_end(lambda: setattr(page, "preserved", preserved))
    page.at_end(page.line.apart)


def _drawing(page: "HtmlPage", _: Attributes) -> None:
    """Of a drawing, only what its `<text>` holds is text."""
    _show(page, shown=False)


def _label(page: "HtmlPage", _: Attributes) -> None:
    _show(page, shown=True)


def _placed(page: "HtmlPage", attributes: Attributes) -> None:
    if "x" in attributes or "y" in attributes or "dy" in attributes:
        page.line.apart()


def _show(page: "HtmlPage", *, shown: bool) -> None:
    seen, page.seen = page.seen, shown
    page.at_end(lambda: setattr(page, "seen", seen))


def _formula(page: "HtmlPage", _: Attributes) -> None:
    page.formula = MathFormula(page.line)
    page.at_end(lambda: _end_formula(page))


def _end_formula(page: "HtmlPage") -> None:
    if page.formula:
        page.formula.close()
    page.formula = None


def _table(page: "HtmlPage", attributes: Attributes) -> None:
    grid = HtmlGrid(laying_out=attributes.get("role", "").strip().lower() in ("presentation", "none"))
    lists, page.lists, definitions, page.definitions = page.lists, [], page.definitions, []
    page.grids.append(grid)
    page.at_end(lambda: _end_table(page, grid))
    page.at_end(lambda: setattr(page, "lists", lists))
    page.at_end(lambda: setattr(page, "definitions", definitions))


def _end_table(page: "HtmlPage", grid: HtmlGrid) -> None:
    page.break_()
    page.grids.pop()
    page.flow.blocks.append(grid.flow())
    if page.grids:
        around = page.grids[-1]
        around.nested, around.headed = max(around.nested, grid.nested), around.headed or grid.headed


def _section(name: str) -> Start:
    def start(page: "HtmlPage", _: Attributes) -> None:
        if page.grids:
            grid = page.grids[-1]
            grid.section, grid.row = name, None
            page.at_end(grid.end_section)

    return start


def _row(page: "HtmlPage", _: Attributes) -> None:
    if page.grids:
        page.grids[-1].begin_row()


def _cell(*, heading: bool) -> Start:
    def start(page: "HtmlPage", attributes: Attributes) -> None:
        if not page.grids:
            return
        rows, columns = integer(attributes.get("rowspan", "")), integer(attributes.get("colspan", ""))
        cell = HtmlCell(
            Flow(), 1 if rows is None or rows < 0 else rows, min(max(columns or 1, 1), MOST_COLUMNS), heading
        )
        page.grids[-1].add(cell)
        page.within(cell.flow)
        page.at_end(page.break_)

    return start


STARTS: dict[str, Start] = {
    **{f"h{level}": _heading(level) for level in range(1, 7)},
    **{tag: _emphasis(mark) for tag, mark in MARKS.items()},
    **dict.fromkeys(("pre", "listing", "xmp", "plaintext"), _verbatim),
    **dict.fromkeys(("ul", "menu", "dir"), _list(ordered=False)),
    **{name: _section(name) for name in SECTIONS},
    **dict.fromkeys(("text", "foreignobject"), _label),
    "ol": _list(ordered=True), "li": _item, "dl": _definitions, "dt": _term, "dd": _definition,
    "blockquote": _quotation, "q": _quoted, "a": _link,
    "title": _title, "br": _break, "hr": _rule, "input": _input, "select": _select, "option": _option,
    "textarea": _text_area, "svg": _drawing, "tspan": _placed, "math": _formula, "table": _table, "tr": _row,
    "td": _cell(heading=False), "th": _cell(heading=True),
}  # fmt: skip
