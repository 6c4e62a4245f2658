"""XLSX to text: a page a sheet, rows whose cells are parted by tabs, values as a person sees them."""

from collections.abc import Iterator

from tasks.documents.document import Content
from tasks.documents.readers.drawn.parts import DAMAGED, GONE, PartReader
from tasks.documents.readers.pages import Lost, Page, joined
from tasks.documents.readers.xlsx.book import Sheet, Workbook
from tasks.documents.readers.xlsx.cells import Cells
from tasks.documents.readers.xlsx.extras import extras
from tasks.documents.readers.xlsx.names import column_name, ranges

HIDDEN = "(hidden sheet)"
NO_VALUE = "a formula without a kept value: open it in a spreadsheet program and save it again"
NO_TEXT = "their texts aren't in the file's list of texts: open the workbook, and save it again"
# Of more ranges of a sheet than these, the first and the last are named.
MOST_RANGES = 5


def read_xlsx(data: bytes, depth: int = 0) -> Content:
    """Return the sheets: rows without the empty ones, then texts that lie on the sheet, then comments.

    Cells stand after as many tabs as there are cells before them, or are named after a wide gap
    (`[XFD1] far`); of merged cells, the first holds the value. Hidden sheets, rows and columns are
    read. A formula without a kept value is shown itself (`=SUM(A1:A3)`). What can't be read is
    `unread`. `depth` is how many files hold this one. Raises DocumentFailed with reason `damaged`
    where there is no workbook.
    """
    book = Workbook(data)
    return joined(_pages(book, depth))


def _pages(book: Workbook, depth: int) -> Iterator[Page]:
    shared = tuple(Lost(0, part, reason) for part, reason in book.lost)
    for sheet in book.sheets():
        page = _page(book, sheet, depth)
        yield page._replace(lost=(*shared, *page.lost))
        shared = ()
    if shared:
        yield Page("", "", shared)


def _page(book: Workbook, sheet: Sheet, depth: int) -> Page:
    heading = f"{sheet.title} {HIDDEN}" if sheet.hidden else sheet.title
    words = f"sheet {sheet.title}"
    if sheet.part is None:
        return Page(heading, "", (Lost(0, words, GONE),))
    held = book.package.read(sheet.part)
    cells = Cells(book, held.data)
    parts = PartReader(book.package, sheet.part, depth)
    rows = "\n".join(cells.lines)
    body = "\n\n".join(filter(None, (rows, *extras(book, parts))))
    lost = [*_formulas(sheet, cells)]
    if cells.lost_texts:
        lost.append(Lost(0, f"{cells.lost_texts} cells of {words}", NO_TEXT))
    if cells.damage or not held.whole:
        damage = cells.damage or "its bytes don't add up"
        lost.append(Lost(len(rows), f"{words}, from there on", DAMAGED.format(damage)))
    lost += (Lost(len(body), f"{words}, {part}", reason) for part, reason in parts.lost)
    return Page(heading, body, tuple(lost))


def _formulas(sheet: Sheet, cells: Cells) -> Iterator[Lost]:
    """Yield the formulas without a value, a row a range, or one for a sheet of many."""
    if not cells.formulas:
        return
    lines = {(item.column, item.row): item.line for item in cells.formulas}
    found = ranges(lines)
    title = sheet.title if sheet.title.isalnum() else f"'{sheet.title}'"
    if len(found) <= MOST_RANGES:
        for column, first, last in found:
            name = column_name(column)
            end = f":{name}{last}" if last > first else ""
            yield Lost(_start(cells, lines[column, first]), f"{title}!{name}{first}{end}", NO_VALUE)
        return
    head, tail = cells.formulas[0], cells.formulas[-1]
    span = f"{column_name(head.column)}{head.row} to {column_name(tail.column)}{tail.row}"
    yield Lost(_start(cells, head.line), f"{title}, {len(lines)} cells ({span})", NO_VALUE)


def _start(cells: Cells, line: int) -> int:
    return sum(len(text) + 1 for text in cells.lines[:line])
