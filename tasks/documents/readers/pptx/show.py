"""A slide show by its parts: its slides in order, their layouts, and who commented."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from tasks.base.errors import DocumentFailed
from tasks.documents.readers.docx.names import A, R
from tasks.documents.readers.drawn.boxes import DrawnBox
from tasks.documents.readers.drawn.parts import PartReader
from tasks.documents.readers.drawn.shapes import Inherited, box_of
from tasks.documents.readers.package import Package, parsed

TITLES = ("title", "ctrTitle")
NOT_READ = ("sldNum", "dt", "sldImg", "hdr")
FOOTER = "ftr"


class Placeholder(NamedTuple):
    """A placeholder of a layout or master: its kind, its number, its box, and the style of its lists."""

    kind: str
    place: str
    box: DrawnBox | None
    style: Any


class SlideLayout:
    """What placeholders inherit: from those of the layout, then of its master, then of the master's styles."""

    def __init__(self, levels: list[list[Placeholder]], styles: Any) -> None:
        self._levels = levels
        self._styles = styles

    def inherited(self, shape: Any) -> Inherited:
        """Return what a shape has from its placeholder; what isn't to be read are numbers, dates and titles."""
        mark = placeholder_of(shape)
        if mark is None:
            return Inherited()
        kind, index = mark.get("type", "obj"), mark.get("idx", "")
        found: list[Placeholder] = []
        for level in self._levels:
            match = _match(level, kind, index)
            if match is not None:
                found.append(match)
                kind = match.kind
        styles = [item.style for item in found if item.style is not None]
        name = "titleStyle" if kind in TITLES else "bodyStyle" if kind not in (*NOT_READ, FOOTER) else "otherStyle"
        held = None if self._styles is None else self._styles.find(f"{{*}}{name}")
        box = next((item.box for item in found if item.box is not None), None)
        shown = kind not in (*NOT_READ, *TITLES, FOOTER)
        return Inherited(shown, box, [*styles, held] if held is not None else styles)


class Show:
    """A presentation. Raises DocumentFailed with reason `damaged` where there is none."""

    def __init__(self, data: bytes, depth: int = 0) -> None:
        self.package, self.depth = Package(data), depth
        self._main = self.package.main() or "ppt/presentation.xml"
        self._tree, self.damage = parsed(self.package.read(self._main).data)
        if self._tree is None:
            words = self.damage or "no presentation"
            raise DocumentFailed("damaged", f"this PPTX file is damaged ({words}): save it again")
        self._layouts: dict[str, SlideLayout] = {}

    def slides(self) -> Iterator[str]:
        """Yield the names of the slides' parts in order, "" for one that has none."""
        relations = self.package.relations(self._main)
        for relation_id in dict.fromkeys(item.get(f"{R}id", "") for item in self._tree.iter("{*}sldId")):
            relation = relations.get(relation_id)
            yield relation.target if relation and not relation.external else ""

    def layout(self, slide: PartReader) -> SlideLayout:
        """Return the layout of a slide."""
        name = next((item.target for item in slide.of_kind("slideLayout")), "")
        if name not in self._layouts:
            self._layouts[name] = self._layout(name)
        return self._layouts[name]

    @cached_property
    def authors(self) -> dict[str, str]:
        """The names of those who commented, by their ids."""
        found = {}
        for relation in self.package.relations(self._main).values():
            tree = parsed(self.package.read(relation.target).data)[0] if "uthors" in relation.kind else None
            for item in () if tree is None else (*tree.iter("{*}cmAuthor"), *tree.iter("{*}author")):
                found[item.get("id", "")] = item.get("name", "")
        return found

    def _layout(self, name: str) -> SlideLayout:
        levels, styles = [], None
        for kind in ("slideMaster", ""):
            if not name:
                break
            tree = parsed(self.package.read(name).data)[0]
            if tree is not None:
                levels.append(list(_placeholders(tree)))
                styles = tree.find("{*}txStyles") if styles is None else styles
            relations = self.package.relations(name).values()
            name = next((item.target for item in relations if kind and item.kind == kind), "")
        return SlideLayout(levels, styles)


def placeholder_of(shape: Any) -> Any:
    """Return the mark of a placeholder; None for a shape that is none."""
    for name in ("nvSpPr", "nvGraphicFramePr"):
        mark = shape.find(f"{{*}}{name}/{{*}}nvPr/{{*}}ph")
        if mark is not None:
            return mark
    return None


def _placeholders(tree: Any) -> Iterator[Placeholder]:
    for shape in tree.iter("{*}sp"):
        mark = placeholder_of(shape)
        if mark is not None:
            style = shape.find(f"{{*}}txBody/{A}lstStyle")
            yield Placeholder(mark.get("type", "obj"), mark.get("idx", ""), box_of(shape), style)


def _match(level: list[Placeholder], kind: str, index: str) -> Placeholder | None:
    """Return the placeholder that one inherits from: of its number within a layout, else of its kind."""
    by_index = next((item for item in level if index and item.place == index), None)
    kinds = TITLES if kind in TITLES else (kind, "body", "obj") if kind not in (*NOT_READ, FOOTER) else (kind,)
    by_kind = (item for name in kinds for item in level if item.kind == name)
    return by_index or next(by_kind, None)
