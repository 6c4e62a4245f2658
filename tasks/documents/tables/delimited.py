"""CSV, and what else has rows of cells between separators."""

import csv
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from tasks.documents.tables.batch import BYTES_AT_ONCE, ROWS_AT_ONCE, Batch
from tasks.documents.tables.lines import is_whole, lines

SEPARATORS = ",;\t|"
# For a table of one column, whose cells may hold any of these: a character that no text contains.
NO_SEPARATOR = "\x1f"
# The line by which a CSV file tells spreadsheet programs its separator.
SEPARATOR_NAMED = re.compile(r'"?sep=([^\w\s"]|\t)"?\s*$', re.IGNORECASE)
LARGEST_CELL = 64 * 1024 * 1024  # characters


class Delimited:
    """A table of cells, read from its beginning to its end, once; every cell is text as it is written."""

    def __init__(self, file: BinaryIO, wanted: Sequence[str] = ()) -> None:
        """Read the header. Raises ValueError where there is none."""
        csv.field_size_limit(LARGEST_CELL)
        rest = lines(file)
        filled = (line for line in rest if line.strip())
        first = next(filled, None)
        named = SEPARATOR_NAMED.match(first or "")
        first = next(filled, None) if named else first
        if first is None:
            raise ValueError("it is empty")
        separator = named[1] if named else _separator(first, wanted)
        self._rows = csv.reader(itertools.chain([first], rest), strict=True, delimiter=separator)
        try:
            self.columns: list[str] = _unlike(next(self._rows))
        except csv.Error as error:
            raise ValueError(f"its header isn't CSV: {error}") from error

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        """Yield the rows; one with too few or too many cells, or broken quotes, is a trouble."""
        known = {column: place for place, column in enumerate(self.columns)}
        places = {column: known[column] for column in wanted if column in known}
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


def _unlike(names: Sequence[str]) -> list[str]:
    """Return names of which none is empty or comes twice: the second `a` is `a_2`."""
    used: set[str] = set()
    own = set(names)
    # By name: those to try, of which none is tried twice.
    tries: dict[str, Iterator[str]] = {}
    found = []
    for number, name in enumerate(names, 1):
        base = name or f"column_{number}"
        others = tries.setdefault(base, _numbered(base))
        found.append(next(one for one in others if one not in used and (one == name or one not in own)))
        used.add(found[-1])
    return found


def _numbered(name: str) -> Iterator[str]:
    return itertools.chain([name], (f"{name}_{count}" for count in itertools.count(2)))


def _said(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "a quote in it is never closed, so that it takes all that follows"
    return f"it isn't CSV: {error}"


def _separator(header: str, wanted: Sequence[str]) -> str:
    """Return the separator that gives the columns that are wanted, else the most frequent one, or NO_SEPARATOR."""
    likely = sorted(filter(header.__contains__, SEPARATORS), key=header.count, reverse=True) or [NO_SEPARATOR]
    for separator in likely:
        names = header.rstrip("\r\n").replace('"', "").split(separator)
        if wanted and set(wanted) <= set(names):
            return separator
    return likely[0]
