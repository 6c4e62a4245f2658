"""Tables of PDFs by where their words stand: an amount stays under its column, and an empty cell is one.

Text runs of a line are parted where the white space between them runs through all lines of a block
(the corridors of "Table structure recognition based on textblock arrangement", Kieninger, 1998).
Only what is plainly a table is taken for one: three columns and three lines, most of them figures.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any, NamedTuple

FEWEST_LINES, FEWEST_COLUMNS = 3, 3
# In heights of a letter: the least corridor between columns, and the most between the lines of a block.
CORRIDOR, FARTHEST = 0.9, 4.0
# So many lines may follow a row of a table within one of its cells.
MOST_WRAPPED = 3
MOST_RUNS = 20_000
FIGURE = re.compile(r"[(+\-\u2212\u2013]?\W{0,3}[0-9][0-9.,'\u00a0\u202f %/:-]*\W{0,3}(?:%|[A-Z]{3})?")
FIGURES = 0.4
# Of a table of contents, which is none of figures.
LEADERS = re.compile(r"(?:\. ?|\u2026 ?|\u00b7 ?){4}")


class Run(NamedTuple):
    """Words that stand together on a line, the how many-th on their page they are, and where they stand, in points."""

    text: str
    number: int
    left: float
    bottom: float
    right: float
    top: float


def might_hold_table(text: str) -> bool:
    """Whether a page's text has so many lines that end in figures that it is worth looking at where they stand."""
    lines = (line for line in text.splitlines() if not LEADERS.search(line))
    return sum(len(re.findall(r"[0-9]", line[-12:])) > 1 for line in lines) >= FEWEST_LINES


def with_tables(text: str, textpage: Any) -> str:
    """Return a page's text with its tables as Markdown, in their places."""
    done = 0
    for block in (_worded(one, textpage) for one in _blocks(_lines(_runs(textpage)))):
        table = _table(block)
        written = [run.text for run in sorted((run for line in block for run in line), key=attrgetter("number"))]
        found = _find(text, written, done) if table is not None else None
        if table is not None and found is not None:
            start, end = found
            text = f"{text[:start]}{table}{text[end:]}"
            done = start + len(table)
    return text


def _runs(textpage: Any) -> list[Run]:
    """Return where the runs of a page stand; their words are asked for where they may be a table's."""
    return [Run("", number, *textpage.get_rect(number)) for number in range(min(textpage.count_rects(), MOST_RUNS))]


def _worded(block: Sequence[Sequence[Run]], textpage: Any) -> list[list[Run]]:
    """Return a block with its words; without any where its columns are too few for a table."""
    if len(_columns(block)) < FEWEST_COLUMNS:
        return []
    runs = [[run._replace(text=textpage.get_text_bounded(*run[2:]).strip()) for run in line] for line in block]
    return [[run for run in line if run.text] for line in runs]


def _lines(runs: Sequence[Run]) -> list[list[Run]]:
    """Return the lines from the top, each from the left: what overlaps by half of its height is on one.

    A cell of several lines may be written before the next one of its row.
    """
    lines: list[list[Run]] = []
    for run in runs:
        line = next((line for line in lines[: -MOST_WRAPPED - 2 : -1] if _goes_on(line[0], line[-1], run)), None)
        if line is None:
            lines.append([run])
        else:
            line.append(run)
    return lines


def _goes_on(first: Run, last: Run, run: Run) -> bool:
    return run.left >= last.right - 1 and _overlap(first, run) > 0.5 * min(_height(first), _height(run))


def _blocks(lines: Sequence[list[Run]]) -> list[list[list[Run]]]:
    """Return groups of lines that may be a table: of several runs each, or of one that goes on in its cell."""
    blocks: list[list[list[Run]]] = []
    wrapped: list[list[Run]] = []
    before: list[Run] | None = None
    for line in lines:
        follows = before is not None and 0 < before[0].bottom - line[0].bottom < FARTHEST * _height(line[0])
        before = line
        if len(line) == 1 and follows and len(wrapped) < MOST_WRAPPED:
            wrapped.append(line)
        elif len(line) == 1:
            before = None
        elif follows and all(_is_within(one[0], blocks[-1][-1]) and _is_within(one[0], line) for one in wrapped):
            blocks[-1] += [*wrapped, line]
        else:
            blocks.append([line])
        if before is None or len(line) > 1:
            wrapped = []
    return [block for block in blocks if len(block) >= FEWEST_LINES]


def _is_within(run: Run, line: Sequence[Run]) -> bool:
    """Whether a run stands in one cell, or beside all cells, of a line."""
    return sum(run.left < cell.right and cell.left < run.right for cell in line) <= 1


def _table(block: Sequence[Sequence[Run]]) -> str | None:
    """Return a block as Markdown; None where it isn't plainly a table."""
    columns = _columns(block) if block else []
    if len(columns) < FEWEST_COLUMNS or any(LEADERS.search(run.text) for line in block for run in line):
        return None
    runs = [
        [[run for run in line if left <= run.left and run.right <= right] for left, right in columns] for line in block
    ]
    if any(sum(map(len, row)) != len(line) for row, line in zip(runs, block, strict=True)):
        return None
    rows = _rows(runs)
    cells = [cell for row in rows[1:] for cell in row[1:] if cell]
    if sum(FIGURE.fullmatch(cell) is not None for cell in cells) < FIGURES * len(cells):
        return None
    rule = "| " + " | ".join("---" for _ in columns) + " |"
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], rule, *lines[1:]])


def _rows(lines: Sequence[Sequence[Sequence[Run]]]) -> list[list[str]]:
    """Return the cells of each row; words alone on a line belong to the cell above them.

    In the first column they may as well be a heading of what follows, unless they begin small.
    """
    rows: list[list[str]] = []
    for line in lines:
        cells = [" ".join(run.text for run in cell) for cell in line]
        filled = [column for column, cell in enumerate(cells) if cell]
        alone = filled[0] if len(filled) == 1 and rows else -1
        if alone > 0 or (alone == 0 and cells[0][0].islower()):
            rows[-1][alone] = f"{rows[-1][alone]} {cells[alone]}".strip()
        else:
            rows.append(cells)
    return rows


def _columns(block: Sequence[Sequence[Run]]) -> list[tuple[float, float]]:
    """Return the spans of the columns: what no line leaves white all the way down."""
    spans = sorted((run.left, run.right) for line in block for run in line)
    gap = CORRIDOR * max(_height(run) for line in block for run in line)
    columns: list[tuple[float, float]] = []
    for left, right in spans:
        if columns and left < columns[-1][1] + gap / 2:
            columns[-1] = (columns[-1][0], max(columns[-1][1], right))
        else:
            columns.append((left, right))
    return columns if all(after[0] - before[1] >= gap / 2 for before, after in pairwise(columns)) else []


def _find(text: str, lines: Sequence[str], start: int) -> tuple[int, int] | None:
    """Return where lines stand in a text, whatever white space is within them."""
    pattern = r"\s+".join(re.escape(word) for line in lines for word in line.split())
    found = re.compile(pattern).search(text, start)
    return (found.start(), found.end()) if found else None


def _overlap(one: Run, other: Run) -> float:
    return min(one.top, other.top) - max(one.bottom, other.bottom)


def _height(run: Run) -> float:
    return max(run.top - run.bottom, 1.0)
