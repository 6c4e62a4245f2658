"""JSON Lines: an object a line."""

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any, BinaryIO

import orjson

from tasks.documents.tables.batch import BYTES_AT_ONCE, ROWS_AT_ONCE, Batch
from tasks.documents.tables.lines import LONGEST, is_whole, lines

Records = list[dict[str, Any] | str]
# How many batches of ROWS_AT_ONCE lines may precede the first object.
MOST_WITHOUT = 32
MARKS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[{}]')
HOLD_FLOATS: frozenset[type] = frozenset({float, dict, list})
FIGURES = re.compile(r"[0-9][0-9.]{15}")


class JsonLines:
    """A table of JSON objects, read from its beginning to its end, once."""

    def __init__(self, file: BinaryIO) -> None:
        """Read until an object comes. Raises ValueError where none of the first lines is one."""
        self._lines = objects(lines(file))
        self._first: list[Records] = []
        while not self.columns and len(self._first) < MOST_WITHOUT and (some := self._some()):
            self._first.append(some)
        if not any(isinstance(record, dict) for some in self._first for record in some):
            wrong = next((str(record) for some in self._first for record in some), None)
            raise ValueError(f"no line of it is a JSON object: {wrong}" if wrong else "it is empty")

    @property
    def columns(self) -> list[str]:
        """The names in the first objects; later ones may have others."""
        found = (record for some in self._first for record in some if isinstance(record, dict))
        return list(dict.fromkeys(name for record in found for name in record))

    def values(self) -> Iterator[Mapping[str, Sequence[Any]]]:
        """Yield the values of each column that some objects have, until the end of the table."""
        for some in self._all():
            records = [record for record in some if isinstance(record, dict)]
            names = dict.fromkeys(name for record in records for name in record)
            yield {name: [record[name] for record in records if name in record] for name in names}

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        """Yield the rows, blank lines apart; what an object doesn't have is None."""
        for some in self._all():
            troubles = {number: record for number, record in enumerate(some) if isinstance(record, str)}
            records = [record if isinstance(record, dict) else {} for record in some]
            columns = {column: [record.get(column) for record in records] for column in wanted}
            yield Batch(len(some), columns, troubles)

    def _all(self) -> Iterator[Records]:
        yield from self._first
        while some := self._some():
            yield some

    def _some(self) -> Records:
        """Read some objects, or what is wrong with a line that is none."""
        records: Records = []
        size = 0
        for line in self._lines:
            records.append(_record(line))
            size += len(line)
            if len(records) == ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
                break
        return records


def objects(found: Iterator[str]) -> Iterator[str]:
    """Yield the text of each object: a line, or, of an array or of objects over several lines, as far as braces go.

    What follows an object's end in its line, as a comma, is left out.
    """
    first = next((line for line in found if line.strip()), "")
    rest = itertools.chain([first], found)
    if first.strip() not in ("[", "{", "[{") and not _begins_array(first):
        yield from (line for line in rest if line.strip())
        return
    yield from _spread(rest)


def _begins_array(line: str) -> bool:
    """Whether a line is an array of objects, or its beginning."""
    return line.lstrip().startswith("[") and line.lstrip()[1:].lstrip().startswith("{")


def _spread(found: Iterator[str]) -> Iterator[str]:
    depth, size = 0, 0
    parts: list[str] = []
    for line in found:
        start = 0
        for mark in MARKS.finditer(line):
            if mark[0] == "{":
                start = mark.start() if not depth else start
                depth += 1
            elif mark[0] == "}" and depth:
                depth -= 1
                if not depth:
                    yield "".join([*parts, line[start : mark.end()]])
                    parts, start, size = [], mark.end(), 0
        if depth:
            parts.append(line[start:])
            size += len(line)
            if size > LONGEST:
                raise ValueError(f"an object is longer than {LONGEST} characters")
    if parts:
        yield "".join(parts)


def _record(line: str) -> dict[str, Any] | str:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        value = None
    # It rounds whole numbers beyond 64 bits, and fractions of more figures than floats have.
    if value is None or (isinstance(value, dict) and _may_be_rounded(value) and FIGURES.search(line)):
        if not is_whole(line):
            return "the line holds bytes that don't fit the file's encoding"
        try:
            value = _exactly(line.strip().removesuffix(","))  # which takes half a surrogate pair, NaN, and any number
        except (ValueError, RecursionError) as error:
            return f"the line isn't JSON: {error}"
    return value if isinstance(value, dict) else "the line isn't a JSON object"


def _may_be_rounded(value: dict[str, Any]) -> bool:
    return not HOLD_FLOATS.isdisjoint(map(type, value.values()))


def _exactly(line: str) -> Any:
    return json.loads(line, parse_float=_exact, strict=False)


def _exact(figures: str) -> float | str:
    """Return a number, or its figures as they stand where no float is that number."""
    number = float(figures)
    return number if isfinite(number) and Decimal(repr(number)) == Decimal(figures) else figures
