"""A table of HTML: each value in the columns and rows that its cell spans, as Markdown."""

from typing import NamedTuple

from tasks.documents.readers.html.flow import Flow, on_one_line

MOST_ROWS = 65534  # HTML knows no longer span (Living Standard, 4.9.11)
# How many fields a table may have that no cell of its own fills, for each that one fills: spans may claim millions.
MOST_FILLED = 20
FEWEST_FILLED = 10_000
LONGEST_REPEATED = 200  # characters; a longer value isn't repeated in the rows that it spans
SECTIONS = ("thead", "tbody", "tfoot")


class HtmlCell(NamedTuple):
    """What a cell holds, how many rows (0: all that follow) and columns (from 1) it spans, and if it is a heading."""

    flow: Flow
    rows: int
    columns: int
    heading: bool


class HtmlGrid:
    """The rows of a table, by its section."""

    def __init__(self, *, laying_out: bool) -> None:
        self.laying_out = laying_out  # it says itself that it isn't data
        self.sections: dict[str, list[list[HtmlCell]]] = {name: [] for name in SECTIONS}
        self.section = "tbody"
        self.nested = 0  # how deep tables of data are nested in its cells
        self.headed = False  # a heading or a listing is in one of them
        self.row: list[HtmlCell] | None = None

    def end_section(self) -> None:
        """End the section that is open: what follows is a part of the body."""
        self.section, self.row = "tbody", None

    def begin_row(self) -> None:
        """Begin a row in the section that is open."""
        self.row = []
        self.sections[self.section].append(self.row)

    def add(self, cell: HtmlCell) -> None:
        """Add a cell to the row that is open."""
        if self.row is None:
            self.begin_row()
        if self.row is not None:
            self.row.append(cell)

    def flow(self) -> Flow:
        """Return the table as a block of Markdown, or the blocks of its cells where it only lays them out."""
        cells = [cell for name in SECTIONS for row in self.sections[name] for cell in row if cell.flow.blocks]
        if self._lays_out(cells):
            return Flow(blocks=[cell.flow for cell in cells])
        self.nested, self.headed = self.nested + 1, False
        return Flow(blocks=["\n".join(self._lines())])

    def _lays_out(self, cells: list[HtmlCell]) -> bool:
        named = any(cell.heading for cell in cells) and not self.laying_out
        wide = any(len(row) > 1 for rows in self.sections.values() for row in rows)
        if self.laying_out or not cells or self.nested > 1 or not (wide or named):
            return True
        return not named and (self.nested == 1 or self.headed)

    def _lines(self) -> list[str]:
        rows = [row for name in SECTIONS for row in _filled(self.sections[name])]
        first = next(row for name in SECTIONS for row in self.sections[name] if row)
        named = any(cell.heading for cell in first) and all(cell.heading or not cell.flow.blocks for cell in first)
        top, body = (rows[0], rows[1:]) if any(self.sections["thead"]) or named else ([""] * len(rows[0]), rows)
        return [_line(top), "| " + " | ".join(["---"] * max(len(top), 1)) + " |", *map(_line, body)]


def _line(fields: list[str]) -> str:
    return "| " + " | ".join(fields) + " |"


def _filled(rows: list[list[HtmlCell]]) -> list[list[str]]:
    """Return the fields of the rows that have cells of their own.

    A value stands in each row that its cell spans; of the columns, in the first, or in each
    where it is a heading beside others.
    """
    lines: list[list[str]] = []
    spanning: dict[int, tuple[int, str]] = {}  # by column: how many rows are left, and the value
    room = FEWEST_FILLED + MOST_FILLED * sum(map(len, rows))
    for row in rows:
        line: list[str] = []
        if room <= 0:
            spanning.clear()
        below = _below(spanning)
        for cell in row:
            room -= _span(spanning, line)
            value = on_one_line(cell.flow).replace("|", "\\|")
            columns = cell.columns if room > 0 else 1
            repeated = cell.heading and len(row) > 1 and len(value) <= LONGEST_REPEATED
            fields = [value] + [value if repeated else ""] * (columns - 1)
            rest = MOST_ROWS if cell.rows == 0 else min(cell.rows, MOST_ROWS) - 1
            if rest > 0:
                held = value if len(value) <= LONGEST_REPEATED else ""
                below.update({len(line) + at: (rest, held if at == 0 else "") for at in range(columns)})
            line += fields
            room -= columns - 1
        room -= _span(spanning, line)
        spanning = below
        if row:
            lines.append(line)
    return _narrowed(rows, lines)


def _span(spanning: dict[int, tuple[int, str]], line: list[str]) -> int:
    """Add the values of cells above that reach into the next columns; return how many."""
    begin = len(line)
    while len(line) in spanning:
        line.append(spanning[len(line)][1])
    return len(line) - begin


def _below(spanning: dict[int, tuple[int, str]]) -> dict[int, tuple[int, str]]:
    return {column: (rows - 1, value) for column, (rows, value) in spanning.items() if rows > 1}


def _narrowed(rows: list[list[HtmlCell]], lines: list[list[str]]) -> list[list[str]]:
    """Leave out columns at the right in which no row's cell begins."""
    own = [row for row in rows if row]
    width = max((len(line) - row[-1].columns + 1 for row, line in zip(own, lines, strict=True)), default=0)
    return [line[:width] for line in lines]
