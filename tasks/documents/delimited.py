"""CSV, and what else has rows of cells between separators."""

import csv
import itertools
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from tasks.documents.batch import BYTES_AT_ONCE, ROWS_AT_ONCE, Batch
from tasks.documents.lines import is_whole, lines

SEPARATORS = ",;\t|"
LARGEST_CELL = 64 * 1024 * 1024  # characters


class Delimited:
    """A table of cells, read from its beginning to its end, once; every cell is text as it is written."""

    def __init__(self, file: BinaryIO, wanted: Sequence[str] = ()) -> None:
        """Read the header. Raises ValueError where there is none."""
        csv.field_size_limit(LARGEST_CELL)
        rest = lines(file)
        first = next((line for line in rest if line.strip()), None)
        if first is None:
            raise ValueError("it is empty")
        self._rows = csv.reader(itertools.chain([first], rest), strict=True, delimiter=_separator(first, wanted))
        try:
            self.columns: list[str] = next(self._rows)
        except csv.Error as error:
            raise ValueError(f"its header isn't CSV: {error}") from error

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        """Yield the rows; one with too few or too many cells, or broken quotes, is a trouble."""
        places = {column: self.columns.index(column) for column in wanted if column in self.columns}
        while True:
            rows, troubles = self._some()
            if not rows:
                return
            columns = {column: [row[place] for row in rows] for column, place in places.items()}
            for cells in columns.values():
                if not is_whole("".join(cells)):
                    broken = (number for number, cell in enumerate(cells) if not is_whole(cell))
                    troubles.update(dict.fromkeys(broken, "it holds bytes that don't fit the file's encoding"))
            yield Batch(len(rows), columns, troubles)

    def _some(self) -> tuple[list[list[str]], dict[int, str]]:
        rows: list[list[str]] = []
        troubles: dict[int, str] = {}
        size, width = 0, len(self.columns)
        while len(rows) < ROWS_AT_ONCE and size < BYTES_AT_ONCE:
            try:
                row = next(self._rows)
            except StopIteration:
                break
            except csv.Error as error:
                row = [""] * width
                troubles[len(rows)] = _said(error)
            if len(row) != width:
                if not row:
                    continue  # a blank line
                troubles[len(rows)] = f"it has {len(row)} cells, not {width}"
                row = [""] * width
            size += sum(map(len, row))
            rows.append(row)
        return rows, troubles


def _said(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "a quote in it is never closed, so that it takes all that follows"
    return f"it isn't CSV: {error}"


def _separator(header: str, wanted: Sequence[str]) -> str:
    """Return the separator that gives the columns that are wanted, else the most frequent one."""
    likely = sorted(SEPARATORS, key=header.count, reverse=True)
    for separator in likely:
        names = header.rstrip("\r\n").replace('"', "").split(separator)
        if wanted and set(wanted) <= set(names):
            return separator
    return likely[0]
