"""Shapes to texts, on a slide or a sheet: text boxes, groups, tables, charts, SmartArt, objects of other programs."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from tasks.documents.readers.docx.charts import chart_blocks, new_chart_blocks
from tasks.documents.readers.docx.diagrams import diagram_items
from tasks.documents.readers.docx.names import CX, DGM, MC, A, C, R, number
from tasks.documents.readers.docx.objects import NO_VALUES
from tasks.documents.readers.drawn.alternatives import chosen
from tasks.documents.readers.drawn.boxes import DrawnBox, Placed, Transform
from tasks.documents.readers.drawn.parts import PartReader
from tasks.documents.readers.drawn.tables import table_texts
from tasks.documents.readers.drawn.text import list_lines

SHAPES = ("sp", "cxnSp")
# The copy of a form's control that is kept for newer programs: the control itself is read.
CONTROL = "{http://schemas.microsoft.com/office/drawing/2010/main}compatExt"


class Inherited(NamedTuple):
    """What a shape has from the layout: whether it is to be read, its box, and the styles of its lists."""

    shown: bool = True
    box: DrawnBox | None = None
    styles: Sequence[Any] = ()


class Layout(Protocol):
    """What tells a placeholder what it inherits."""

    def inherited(self, shape: Any) -> Inherited:
        """Return what a shape has from its placeholder's layout."""


class NoLayout:
    """For the shapes of a sheet: none is a placeholder, and charts show what its cells hold."""

    def inherited(self, shape: Any) -> Inherited:
        """Return that it has nothing."""
        del shape
        return Inherited()


def placed(root: Any, parts: PartReader, layout: Layout) -> Iterator[Placed]:
    """Yield the texts within an element, each with its box, in the order of drawing."""
    stack: list[tuple[Any, Transform]] = [(child, Transform()) for child in reversed(root)]
    while stack:
        element, transform = stack.pop()
        name = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
        if element.tag == f"{MC}AlternateContent":
            stack += [(child, transform) for child in reversed(chosen(element))]
        elif name == "grpSp":
            inner = _group(element, transform)
            stack += [(child, inner) for child in reversed(element)]
        elif name in SHAPES:
            yield from _shape(element, transform, layout)
        elif name == "graphicFrame":
            own, inherited = _box(element.find("./{*}xfrm")), layout.inherited(element)
            texts = _frame(element, parts, in_cells=isinstance(layout, NoLayout))
            yield Placed(transform.of(own) if own else inherited.box or DrawnBox(), texts)


def _shape(element: Any, transform: Transform, layout: Layout) -> Iterator[Placed]:
    body, inherited = element.find("{*}txBody"), layout.inherited(element)
    if body is None or not inherited.shown or element.find(f"{{*}}nvSpPr/{{*}}cNvPr//{CONTROL}") is not None:
        return
    lines = list_lines(body, inherited.styles)
    if lines:
        own = _box(element.find(f"{{*}}spPr/{A}xfrm"))
        yield Placed(transform.of(own) if own else inherited.box or DrawnBox(), ["\n".join(lines)])


def _box(xfrm: Any, start: str = "off", extent: str = "ext") -> DrawnBox | None:
    off, ext = (None, None) if xfrm is None else (xfrm.find(f"{A}{start}"), xfrm.find(f"{A}{extent}"))
    if off is None or ext is None:
        return None
    return DrawnBox(number(off.get("x")), number(off.get("y")), number(ext.get("cx")), number(ext.get("cy")))


def box_of(shape: Any) -> DrawnBox | None:
    """Return the box that a shape states itself."""
    return _box(shape.find(f"{{*}}spPr/{A}xfrm"))


def _group(element: Any, transform: Transform) -> Transform:
    xfrm = element.find(f"{{*}}grpSpPr/{A}xfrm")
    outer, inner = _box(xfrm), _box(xfrm, "chOff", "chExt")
    return transform.within(outer, inner) if outer and inner else transform


def _frame(frame: Any, parts: PartReader, *, in_cells: bool) -> list[str]:
    """Return the texts of a table, a chart, a diagram or an object; `in_cells`: charts' values are read elsewhere."""
    found: list[str] = []
    for table in frame.iterfind(f".//{A}tbl"):
        found += table_texts(table)
    for chart in (*frame.iter(f"{C}chart"), *frame.iter(f"{CX}chart")):
        tree = parts.tree(chart.get(f"{R}id", ""), "chart")
        blocks = [] if tree is None else new_chart_blocks(tree) if chart.tag.startswith(CX) else chart_blocks(tree)
        if tree is not None and not in_cells and not any(block.startswith("|") for block in blocks):
            parts.lost.append((" ".join(["chart", *blocks]), NO_VALUES))
        found += blocks
    for diagram in frame.iter(f"{DGM}relIds"):
        tree = parts.tree(diagram.get(f"{R}dm", ""), "diagram")
        if tree is not None:
            found.append("\n".join(diagram_items(tree)))
    for item in frame.iter("{*}oleObj"):  # alternatives may tell it twice
        found += parts.embedded(item.get(f"{R}id", ""), item.get("progId", ""))
    return [text for text in found if text]
