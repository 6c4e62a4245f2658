"""Tables to Markdown: every value stays in the column that it is shown in."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tasks.documents.readers.docx.blocks import Block

# Text that spans rows is said again in each of them, so that a row can be understood alone, unless it is long.
LONGEST_REPEATED = 100
# Word allows 63; what lies beyond these is a slip.
MOST_COLUMNS = 200
ROW_END, CELL_END = "; ", " / "


class DocxCell(NamedTuple):
    """A cell: the first column that it covers, whether it goes on with the one above, and what is in it."""

    column: int
    goes_on: bool
    blocks: list[Block]

    @property
    def text(self) -> str:
        """What is in it, in one line."""
        text = " ".join([_flat(block.text) if "\n" in block.text else block.text.strip() for block in self.blocks])
        return text.replace("\n", " ").replace("\t", " ").strip()


def _flat(text: str) -> str:
    """Return a block without its line ends; a table, as a chart within a cell is, in the form of a nested one."""
    lines = text.split("\n")
    if len(lines) > 1 and lines[1].startswith("| ---"):
        return ROW_END.join(line[2:-2].replace(" | ", CELL_END) for line in (lines[0], *lines[2:]))
    return text.strip()


Rows = Sequence[Sequence[DocxCell]]


def table(rows: Rows, *, nested: bool) -> list[Block]:
    """Return a table as Markdown, one within a cell in a line, and one of a single column as the blocks in it."""
    columns = sorted({cell.column for row in rows for cell in row})
    if len(columns) < 2:
        return [block for row in rows for cell in row for block in cell.blocks]
    texts = _filled(rows, {column: place for place, column in enumerate(columns)})
    if nested:
        return [Block(ROW_END.join(CELL_END.join(row) for row in texts))]
    return [Block(markdown_table(list(texts)))]


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of as many cells each as a table in Markdown; the first holds the headings."""
    lines = [_line(row) for row in rows]
    return "\n".join([*lines[:1], _line(["---"] * len(rows[0])), *lines[1:]])


def _line(texts: Sequence[str]) -> str:
    cells = [text.replace("|", "\\|") for text in texts] if "|" in "".join(texts) else texts
    return f"| {' | '.join(cells)} |"


def _filled(rows: Rows, places: dict[int, int]) -> Iterator[list[str]]:
    """Yield the texts of the rows that have any, and of the first, which holds the headings."""
    above: dict[int, str] = {}
    for number, row in enumerate(rows):
        texts = [""] * len(places)
        for cell in row:
            text = cell.text
            if cell.goes_on:
                text = text or above.get(cell.column, "")
            else:
                above[cell.column] = text if len(text) <= LONGEST_REPEATED else ""
            texts[places[cell.column]] = text
        if number == 0 or any(texts):
            yield texts
