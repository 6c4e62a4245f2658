"""A workbook by its parts: its sheets, the texts that they share, and the forms of their numbers."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tasks.base.errors import DocumentFailed
from tasks.documents.readers.docx.names import R, number
from tasks.documents.readers.package import Package, Relation, parsed
from tasks.documents.readers.xlsx.built_in import BUILT_IN
from tasks.documents.readers.xlsx.formats import Shown, is_date, number_format, text_format

GONE = "it isn't in the file: open the workbook, and save it again"
DAMAGED = "it is damaged ({}): open the workbook, and save it again"
ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
# Control characters, and what ends a line or a paragraph.
BREAKS = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029), " ")
ON = ("1", "true", "on")
NOT_SHOWN = ("rPh", "phoneticPr")


class Sheet(NamedTuple):
    """A sheet: its name, whether it is hidden, and its part, None where there is none."""

    title: str
    hidden: bool
    part: str | None


class CellStyle(NamedTuple):
    """How a cell's format shows numbers, what it puts around texts, and whether it shows dates or times."""

    number: Shown
    around: tuple[str, str] | None
    is_date: bool


class Workbook:
    """The parts of a workbook. `lost` holds what can't be read of those that all sheets share, and why.

    Raises DocumentFailed with reason `damaged` where there is no workbook.
    """

    def __init__(self, data: bytes) -> None:
        self.package = Package(data)
        self.lost: list[tuple[str, str]] = []
        self._main = self.package.main() or "xl/workbook.xml"
        self._tree, damage = parsed(self.package.read(self._main).data)
        if self._tree is None:
            raise DocumentFailed("damaged", f"this XLSX file is damaged ({damage or 'no workbook'}): save it again")
        if damage:
            self.lost.append(("the list of sheets", DAMAGED.format(damage)))
        self._relations = self.package.relations(self._main)
        self.from_1904 = self._is_on("workbookPr", "date1904")
        # Programs that can't calculate say so, and keep 0 as the value of every formula.
        self.is_uncalculated = self._is_on("calcPr", "fullCalcOnLoad")
        self.texts = self._texts()
        self.styles = self._styles()

    def sheets(self) -> Iterator[Sheet]:
        """Yield the sheets in the order of their tabs."""
        known: set[str] = set()
        for item in self._tree.iterfind("{*}sheets/{*}sheet"):
            relation = self._relations.get(item.get(f"{R}id", ""))
            is_there = relation is not None and not relation.external and relation.target in self.package
            hidden = item.get("state", "visible") != "visible"
            part = relation.target if relation and is_there else None
            if part not in known:  # a part is one sheet
                yield Sheet(item.get("name", ""), hidden, part)
            known.update({part} if part else ())

    def relations(self, part: str) -> Mapping[str, Relation]:
        """Return the relationships of a part."""
        return self.package.relations(part)

    def companion(self, kind: str) -> str | None:
        """Return the name of a part of that kind that the workbook has; None for none."""
        return next((item.target for item in self._relations.values() if item.kind == kind), None)

    def people(self) -> dict[str, str]:
        """Return the names of those who wrote threaded comments, by their ids."""
        part = self.companion("person")
        tree = parsed(self.package.read(part).data)[0] if part else None
        people = () if tree is None else tree.iter("{*}person")
        return {item.get("id", ""): item.get("displayName", "") for item in people}

    def _is_on(self, name: str, attribute: str) -> bool:
        element = self._tree.find(f"{{*}}{name}")
        return element is not None and element.get(attribute, "0").lower() in ON

    def _part_tree(self, kind: str, words: str) -> Any:
        part = self.companion(kind)
        if part is None:
            return None
        held = self.package.read(part)
        tree, damage = parsed(held.data)
        if part not in self.package:
            self.lost.append((words, GONE))
        elif damage or not held.whole:
            self.lost.append((words, DAMAGED.format(damage or "its bytes don't add up")))
        return tree

    def _texts(self) -> list[str]:
        tree = self._part_tree("sharedStrings", "texts of cells (shared strings)")
        return [] if tree is None else [rich_text(item) for item in tree.iterfind("{*}si")]

    def _styles(self) -> list[CellStyle]:
        tree = self._part_tree("styles", "the forms of numbers and dates (styles)")
        if tree is None:
            return []
        codes = dict(BUILT_IN)
        for item in tree.iter("{*}numFmt"):
            codes[number(item.get("numFmtId"))] = item.get("formatCode", "General")
        known: dict[str, CellStyle] = {}
        styles = []
        for item in tree.iterfind("{*}cellXfs/{*}xf"):
            code = codes.get(number(item.get("numFmtId")), "General")
            if code not in known:
                known[code] = self._style(code)
            styles.append(known[code])
        return styles

    def _style(self, code: str) -> CellStyle:
        shown = number_format(code, from_1904=self.from_1904)
        return CellStyle(shown, text_format(code), is_date(code))


def rich_text(item: Any) -> str:
    """Return a text with its runs in one line, without how its characters are pronounced."""
    runs = (run for run in item if isinstance(run.tag, str) and not run.tag.endswith(NOT_SHOWN))
    return in_a_line("".join(part.text or "" for run in runs for part in run.iter("{*}t")))


def in_a_line(text: str) -> str:
    """Return a text as it was typed, with a space for what would break a row."""
    if "_x" in text:
        text = ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n").translate(BREAKS)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
