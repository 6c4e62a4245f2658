"""What the styles of a document say that matters to its text (ECMA-376, part 1, 17.7)."""

import re
from typing import Any, NamedTuple

from tasks.documents.readers.docx.names import VAL, W, is_on, number

HEADING = re.compile(r"heading\s*([1-9])", re.IGNORECASE)
DEEPEST_HEADING = 6
SCRIPTS = {"superscript": 1, "subscript": 2, "baseline": 0}
# From here on, in half-points, a run that is moved up or down is raised or lowered text; less mends a line.
LEAST_SHIFT = 4
NO_LEVEL = 9
DEEPEST_LEVEL = 8


class Number(NamedTuple):
    """The list that a paragraph belongs to, and its level there; None where it is left to a style or the list."""

    list_id: str | None
    level: int | None


class Look(NamedTuple):
    """What a style or a run says about its characters; None where it says nothing."""

    hidden: bool | None = None
    script: int | None = None
    struck: bool | None = None
    font: str | None = None

    def over(self, other: "Look") -> "Look":
        """Return this look where it says something, and the other where it doesn't."""
        return Look(
            other.hidden if self.hidden is None else self.hidden,
            other.script if self.script is None else self.script,
            other.struck if self.struck is None else self.struck,
            other.font if self.font is None else self.font,
        )


class DocxStyle(NamedTuple):
    """A style: `heading` is the level of a heading, 0 for none; `owner` is the style whose list it is."""

    heading: int | None = None
    number: Number | None = None
    owner: str = ""
    look: Look = Look()


class Styles:
    """The styles of a document by their ids, each with what it takes from those it is based on."""

    def __init__(self, tree: Any) -> None:
        self._known: dict[str, DocxStyle] = {}
        elements = () if tree is None else tree.iter(f"{W}style")
        self._elements = {element.get(f"{W}styleId", ""): element for element in elements}
        default = next((e.get(f"{W}styleId", "") for e in self._elements.values() if _is_default(e)), "")
        self.default = self[default] if default else DocxStyle()

    def __getitem__(self, style_id: str) -> DocxStyle:
        """Return a style; of one that isn't known, what its name tells."""
        chain: dict[str, None] = {}  # in order
        step: str | None = style_id
        while step is not None and step not in self._known and step not in chain:
            chain[step] = None
            step = _value(self._elements.get(step), "basedOn")
        base = self._known.get(step or "", DocxStyle())
        for name in reversed(chain):
            base = self._known[name] = self._style(name, base)
        return self._known[style_id]

    def _style(self, style_id: str, base: DocxStyle) -> DocxStyle:
        element = self._elements.get(style_id)
        name = _value(element, "name") or style_id
        if element is None:
            return base._replace(heading=_heading(name))
        properties = element.find(f"{W}pPr")
        outline, listed = (None, None) if properties is None else (_outline(properties), number_of(properties))
        named = _heading(name)
        runs = element.find(f"{W}rPr")
        return DocxStyle(
            heading=named if named is not None else base.heading if outline is None else outline,
            number=listed or base.number,
            owner=style_id if listed else base.owner,
            look=base.look if runs is None else look_of(runs, None).over(base.look),
        )


def look_of(properties: Any, styles: Styles | None) -> Look:
    """Return what the properties of a run (w:rPr) say about its characters."""
    hidden = script = struck = font = None
    based = Look()
    for item in properties:
        tag = item.tag
        if tag == f"{W}vanish":
            hidden = is_on(item)
        elif tag == f"{W}vertAlign":
            script = SCRIPTS.get(item.get(VAL, ""))
        elif tag == f"{W}position" and script is None and abs(shift := number(item.get(VAL))) >= LEAST_SHIFT:
            script = SCRIPTS["superscript" if shift > 0 else "subscript"]
        elif tag in (f"{W}strike", f"{W}dstrike"):
            struck = struck or is_on(item)
        elif tag == f"{W}rFonts":
            font = item.get(f"{W}ascii") or item.get(f"{W}hAnsi")
        elif tag == f"{W}rStyle" and styles is not None:
            based = styles[item.get(VAL, "")].look
    return Look(hidden, script, struck, font).over(based)


def number_of(properties: Any) -> Number | None:
    """Return the list that the properties of a paragraph (w:pPr) name."""
    listed = properties.find(f"{W}numPr")
    if listed is None:
        return None
    level = _value(listed, "ilvl")
    return Number(_value(listed, "numId"), None if level is None else min(max(number(level), 0), DEEPEST_LEVEL))


def _outline(properties: Any) -> int | None:
    level = _value(properties, "outlineLvl")
    return None if level is None else heading_of(number(level, NO_LEVEL))


def heading_of(outline: int) -> int:
    """Return the level of a heading for an outline level, 0 for body text."""
    return min(outline + 1, DEEPEST_HEADING) if 0 <= outline < NO_LEVEL else 0


def _heading(name: str) -> int | None:
    if name.lower() == "title":
        return 1
    match = HEADING.fullmatch(name)
    return min(int(match[1]), DEEPEST_HEADING) if match else None


def _value(element: Any, name: str) -> str | None:
    child = None if element is None else element.find(f"{W}{name}")
    value: str | None = None if child is None else child.get(VAL)
    return value


def _is_default(element: Any) -> bool:
    return element.get(f"{W}type", "paragraph") == "paragraph" and element.get(f"{W}default", "0") in (
        "1",
        "true",
        "on",
    )
