"""The numbers of lists as they are printed (ECMA-376, part 1, 17.9)."""

import re
from typing import Any, NamedTuple

from tasks.documents.readers.docx.names import VAL, W, is_on, number
from tasks.documents.readers.docx.numerals import numeral
from tasks.documents.readers.docx.signs import in_font
from tasks.documents.readers.docx.styles import Styles

BULLET = "-"
NO_LIST = "0"
# Bullets that say something: those of check lists.
BOXES = tuple("☐☑☒✓✔✗✘")
PLACE = re.compile(r"%([1-9])")


class Level(NamedTuple):
    """A level of a list; `restart` is the level (from 1) after which it begins anew, 0 for never."""

    start: int
    form: str
    text: str
    restart: int | None
    legal: bool
    style: str


class Numbering:
    """The lists of a document, and how far each has counted: paragraphs are to be asked for in their order."""

    def __init__(self, tree: Any, styles: Styles) -> None:
        self._styles = styles
        self._abstract: dict[str, Any] = {}
        self._lists: dict[str, Any] = {}
        for element in () if tree is None else tree:
            if element.tag == f"{W}abstractNum":
                self._abstract[element.get(f"{W}abstractNumId")] = element
            elif element.tag == f"{W}num":
                self._lists[element.get(f"{W}numId")] = element
        self._levels: dict[str, tuple[str, dict[int, Level], dict[int, int]]] = {}
        self._counts: dict[str, dict[int, int]] = {}
        self._begun: set[tuple[str, int]] = set()
        self.missed = False  # whether a list was asked for where the document has none at all

    def __contains__(self, list_id: str) -> bool:
        self.missed = self.missed or not (self._lists or list_id == NO_LIST)
        return list_id in self._lists

    def level_of(self, list_id: str, *styles: str) -> int | None:
        """Return the level of a list that belongs to one of these styles."""
        levels = self._of(list_id)[1]
        return next((level for style in styles for level, kept in levels.items() if kept.style == style), None)

    def label(self, list_id: str, level: int) -> str:
        """Count on, and return what stands before the paragraph: `3.`, `(b)`, `Article 2`; "-" for a bullet."""
        abstract, levels, starts = self._of(list_id)
        shown = levels.get(level)
        if shown is None:
            return BULLET
        counts = self._count(abstract, list_id, level, levels, starts)
        if shown.form == "bullet":
            return f"{BULLET} {shown.text}" if shown.text in BOXES else BULLET

        def place(match: re.Match[str]) -> str:
            at = int(match[1]) - 1
            known = levels.get(at, shown)
            return numeral(counts.get(at, known.start), "decimal" if shown.legal else known.form)

        return PLACE.sub(place, shown.text).strip()

    def _count(
        self, abstract: str, list_id: str, level: int, levels: dict[int, Level], starts: dict[int, int]
    ) -> dict[int, int]:
        counts = self._counts.setdefault(abstract, {})
        if level in starts and (list_id, level) not in self._begun:
            counts.pop(level, None)
        self._begun.add((list_id, level))
        counts[level] = counts[level] + 1 if level in counts else starts.get(level, levels[level].start)
        for deeper in [at for at in counts if at > level]:
            restart = levels[deeper].restart if deeper in levels else None
            if restart is None or level < restart:
                del counts[deeper]
        return counts

    def _of(self, list_id: str) -> tuple[str, dict[int, Level], dict[int, int]]:
        """Return a list's own or shared counter, its levels, and where those levels begin that it begins itself."""
        if list_id not in self._levels:
            self._levels[list_id] = self._read(list_id)
        return self._levels[list_id]

    def _read(self, list_id: str) -> tuple[str, dict[int, Level], dict[int, int]]:
        element = self._lists.get(list_id)
        link = None if element is None else element.find(f"{W}abstractNumId")
        name = "" if link is None else link.get(VAL, "")
        levels = self._levels_of(name)
        starts: dict[int, int] = {}
        for override in () if element is None else element.iter(f"{W}lvlOverride"):
            at = number(override.get(f"{W}ilvl"))
            own, start = override.find(f"{W}lvl"), override.find(f"{W}startOverride")
            if own is not None:
                levels[at] = _level(own)
            if start is not None:
                starts[at] = number(start.get(VAL))
        return name, levels, starts

    def _levels_of(self, name: str) -> dict[int, Level]:
        """Return the levels of an abstract list; one that only links to a style has those of that style's list."""
        element, seen = self._abstract.get(name), set[str]()
        while element is not None and (link := element.find(f"{W}numStyleLink")) is not None and name not in seen:
            seen.add(name)
            linked = self._styles[link.get(VAL, "")].number
            target = self._lists.get(linked.list_id or "") if linked else None
            inner = None if target is None else target.find(f"{W}abstractNumId")
            name = "" if inner is None else inner.get(VAL, "")
            element = self._abstract.get(name)
        return {} if element is None else {number(e.get(f"{W}ilvl")): _level(e) for e in element.iter(f"{W}lvl")}


def _level(element: Any) -> Level:
    values = {item.tag: item for item in element if isinstance(item.tag, str)}

    def value(name: str, default: str) -> str:
        item = values.get(W + name)
        found: str = default if item is None else item.get(VAL, default)
        return found

    restart = value("lvlRestart", "")
    return Level(
        start=number(value("start", "0")),
        form="bullet" if f"{W}lvlPicBulletId" in values else _form(element),
        text=in_font(_font(element), value("lvlText", "")),
        restart=number(restart) if restart else None,
        legal=is_on(values.get(f"{W}isLgl")),
        style=value("pStyle", ""),
    )


def _form(element: Any) -> str:
    """Return the format of a level's number; one of a later Word (`001, 002, …`) stands among alternatives."""
    found = element.find(f".//{W}numFmt")
    form: str = "decimal" if found is None else found.get(VAL, "decimal")
    first: str = "" if found is None else found.get(f"{W}format", "").partition(",")[0].strip()
    return first if form == "custom" and first.isdecimal() else form


def _font(element: Any) -> str:
    fonts = element.find(f"{W}rPr/{W}rFonts")
    return "" if fonts is None else fonts.get(f"{W}ascii", "")
