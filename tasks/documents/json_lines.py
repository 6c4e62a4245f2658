"""JSON Lines: an object a line."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import orjson

from tasks.documents.batch import BYTES_AT_ONCE, ROWS_AT_ONCE, Batch
from tasks.documents.lines import is_whole, lines


class JsonLines:
    """A table of JSON objects, read from its beginning to its end, once."""

    def __init__(self, file: BinaryIO) -> None:
        """Read the first lines. Raises ValueError where none of them is an object."""
        self._lines = lines(file)
        self._first = self._some()
        self.columns = list(next((record for record in self._first if isinstance(record, dict)), {}))
        if not any(isinstance(record, dict) for record in self._first):
            raise ValueError(f"no line of it is a JSON object: {self._first[0]}" if self._first else "it is empty")

    def sample(self, most: int) -> dict[str, list[Any]]:
        """Return the values of each column that the first `most` objects have."""
        records = [record for record in self._first[:most] if isinstance(record, dict)]
        names = dict.fromkeys(name for record in records for name in record)
        return {name: [record[name] for record in records if name in record] for name in names}

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        """Yield the rows, blank lines apart; what an object doesn't have is None."""
        some = self._first
        while some:
            troubles = {number: record for number, record in enumerate(some) if isinstance(record, str)}
            records = [record if isinstance(record, dict) else {} for record in some]
            columns = {column: [record.get(column) for record in records] for column in wanted}
            yield Batch(len(some), columns, troubles)
            some = self._some()

    def _some(self) -> list[dict[str, Any] | str]:
        """Read some objects, or what is wrong with a line that is none."""
        records: list[dict[str, Any] | str] = []
        size = 0
        for line in self._lines:
            if line.strip():
                records.append(_record(line))
                size += len(line)
            if len(records) == ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
                break
        return records


def _record(line: str) -> dict[str, Any] | str:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        if not is_whole(line):
            return "the line holds bytes that don't fit the file's encoding"
        try:
            value = json.loads(line)  # which takes half a surrogate pair, NaN, and any number
        except (ValueError, RecursionError) as error:
            return f"the line isn't JSON: {error}"
    return value if isinstance(value, dict) else "the line isn't a JSON object"
