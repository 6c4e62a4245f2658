"""The cells of a sheet, row by row, from its XML (ECMA-376, part 1, 18.3.1)."""

import datetime as dt
import io
import re
from typing import Any, NamedTuple

from lxml import etree

from tasks.documents.readers.docx.names import number
from tasks.documents.readers.package import STRICT, TRANSITIONAL
from tasks.documents.readers.xlsx.book import CellStyle, Workbook, in_a_line, rich_text
from tasks.documents.readers.xlsx.dates import EPOCH, EPOCH_1904, LEAP_DAY
from tasks.documents.readers.xlsx.digits import general
from tasks.documents.readers.xlsx.formulas import moved
from tasks.documents.readers.xlsx.names import column_name, column_number

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
PLACE = re.compile(r"\$?([A-Za-z]{1,3})\$?([0-9]{1,7})")
V, F, IS = f"{MAIN}v", f"{MAIN}f", f"{MAIN}is"
# Beyond so many empty cells in a row, the next one is written with its name instead: `[XFD1] far`.
WIDEST_GAP = 64
TAB = "\t"
# Of formulas that cells share, so many characters are written; a file could ask for any number of them.
MOST_SHARED = 5_000_000
ISO_TIME = re.compile(r"(\d{4}-\d\d-\d\d)?T?(?:(\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?)?Z?")


class CellFormula(NamedTuple):
    """A formula without a kept value: its cell's column and row, and the line that it stands in."""

    column: int
    row: int
    line: int


class Cells:
    """The rows of a sheet as lines of cells that are parted by tabs; what else it refers to; what is damaged."""

    def __init__(self, book: Workbook, data: bytes) -> None:
        self._book = book
        self.lines: list[str] = []
        self.formulas: list[CellFormula] = []
        self.lost_texts = 0
        self.damage = ""
        self._shared: dict[str, tuple[str, int, int]] = {}
        self._room = MOST_SHARED
        self._rows: list[int] = []
        self._names: dict[str, int] = {}
        self._styles: dict[str | None, CellStyle] = {str(at): style for at, style in enumerate(book.styles)}
        self._read(data)
        if any(after < before for before, after in zip(self._rows, self._rows[1:], strict=False)):
            self._sort()

    def _read(self, data: bytes) -> None:
        source = io.BytesIO(STRICT.sub(TRANSITIONAL, data) if b"purl.oclc.org" in data[:4096] else data)
        events = etree.iterparse(
            source, tag=f"{MAIN}row", recover=True, huge_tree=True, resolve_entities=False, no_network=True
        )
        row = 0
        try:
            for _, element in events:
                row = number(element.get("r")) or row + 1
                self._row(element, row)
                element.clear()
                while element.getprevious() is not None:
                    del element.getparent()[0]
        except etree.XMLSyntaxError as error:
            self.damage = str(error)
        fatal = (f"line {error.line}: {error.message}" for error in events.error_log if error.level_name == "FATAL")
        self.damage = self.damage or next(fatal, "")

    def _row(self, element: Any, row: int) -> None:
        cells: list[tuple[int, str]] = []
        column, sorted_ = 0, True
        for cell in element:
            place = cell.get("r")
            before, column = column, (self._column(place) if place else 0) or column + 1
            sorted_ = sorted_ and column > before
            text = self._cell(cell, column, row)
            if text:
                cells.append((column, text))
        if cells:
            self._rows.append(row)
            self.lines.append(_line(cells if sorted_ else sorted(cells), row))

    def _column(self, place: str) -> int:
        letters = place.rstrip("0123456789")
        column = self._names.get(letters)
        if column is None:
            match = PLACE.fullmatch(place)
            column = self._names[letters] = column_number(match[1]) if match else 0
        return column

    def _cell(self, cell: Any, column: int, row: int) -> str:
        value, formula, inline = None, None, None
        for child in cell:
            tag = child.tag
            if tag == V:
                value = child.text or ""
            elif tag == F:
                formula = child
            elif tag == IS:
                inline = child
        kind = cell.get("t")
        if formula is not None:
            self._remember(formula, column, row)
        if inline is not None:
            return rich_text(inline)
        uncalculated = formula is not None and value == "0" and self._book.is_uncalculated
        if (value and not uncalculated) or (value is not None and kind == "str"):
            return self._shown(value, kind, cell.get("s"))
        if formula is None:
            return ""
        self.formulas.append(CellFormula(column, row, len(self.lines)))
        return self._formula(formula, column, row)

    def _shown(self, value: str, kind: str | None, style_id: str | None) -> str:
        style = self._styles.get(style_id)
        if kind is None or kind == "n":
            return style.number(value.strip()) if style else general(value.strip())
        if kind == "s":
            return _around(self._text(value), style)
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(value.strip(), value.upper())
        if kind == "d":
            return self._date(value, style)
        return _around(in_a_line(value), style) if kind == "str" else in_a_line(value)

    def _text(self, value: str) -> str:
        at = number(value, -1)
        if 0 <= at < len(self._book.texts):
            return self._book.texts[at]
        self.lost_texts += 1
        return ""

    def _date(self, value: str, style: CellStyle | None) -> str:
        """Return a date as ISO 8601 has it, which Strict Open XML keeps, in the cell's format."""
        match = ISO_TIME.fullmatch(value.strip())
        if match is None or style is None or not style.is_date or not value.strip():
            return value
        days = 0
        try:
            if match[1]:
                epoch = EPOCH_1904 if self._book.from_1904 else EPOCH
                days = (dt.date.fromisoformat(match[1]) - epoch).days
        except ValueError:
            return value
        days -= match[1] is not None and not self._book.from_1904 and days <= LEAP_DAY
        seconds = int(match[2] or 0) * 3600 + int(match[3] or 0) * 60 + float(match[4] or 0)
        return style.number(repr(days + seconds / 86_400)) if days >= 0 else value

    def _remember(self, formula: Any, column: int, row: int) -> None:
        if formula.get("t") == "shared" and formula.text:
            self._shared.setdefault(formula.get("si", ""), (formula.text, column, row))

    def _formula(self, formula: Any, column: int, row: int) -> str:
        text = formula.text or ""
        if not text and formula.get("si") in self._shared:
            text, first_column, first_row = self._shared[formula.get("si")]
            self._room -= len(text)
            text = moved(text, column - first_column, row - first_row) if self._room >= 0 else "…"
        return "=" + in_a_line(text).removeprefix("=")

    def _sort(self) -> None:
        order = sorted(range(len(self.lines)), key=self._rows.__getitem__)
        places = {line: place for place, line in enumerate(order)}
        self.lines = [self.lines[line] for line in order]
        self.formulas = sorted(
            (formula._replace(line=places[formula.line]) for formula in self.formulas), key=lambda item: item.line
        )


def _line(cells: list[tuple[int, str]], row: int) -> str:
    """Return a row's cells, each after as many tabs as cells before it, or with its name after a wide gap."""
    pieces: list[str] = []
    at = 1
    for column, text in cells:
        gap = column - at
        if gap > WIDEST_GAP:
            pieces.append(f"{TAB * bool(pieces)}[{column_name(column)}{row}] ")
        elif gap:
            pieces.append(TAB * gap)
        pieces.append(text)
        at = column
    return "".join(pieces)


def _around(text: str, style: CellStyle | None) -> str:
    return text if style is None or style.around is None or not text else text.join(style.around)
