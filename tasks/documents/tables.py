"""Tables as sources: one row a document, streamed."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from tasks.documents.carried import carried_names
from tasks.documents.document import Document
from tasks.errors import UserMistake

ENDINGS = (".parquet", ".jsonl", ".csv")
ROWS_AT_ONCE = 1024
LARGEST_CELL = 64 * 2**20  # bytes; a row of a CSV must lie in one block


def is_table(path: Path) -> bool:
    """Whether the ending is one of the table formats."""
    return path.suffix.lower() in ENDINGS


def rows(path: Path, text_column: str, id_column: str | None, columns: Sequence[str] = ()) -> Iterator[Document]:
    """Yield a document for each row; without an id column the row number is the id.

    A row whose text is null or no string becomes an empty document, which fails
    by name later: no row is dropped.

    Raises UserMistake for a column that isn't there or a table that can't be read.
    """
    if not is_table(path):
        raise UserMistake(f"{path}: --text-column goes with a table ({', '.join(ENDINGS)})")
    number = 0
    try:
        for record in _records(path, text_column, id_column, columns):
            value = record.get(text_column)
            text = value if isinstance(value, str) else ""
            name = _name(path, number, record[id_column]) if id_column else str(number)
            source = f"{path.absolute().as_uri()}#row={number}"
            carried = {key: record[key] for key in carried_names(list(record), columns, text_column, id_column)}
            yield Document(name, source, len(text.encode("utf-8", "replace")), None, text, carried or None)
            number += 1
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserMistake(f"{path}: can't be read as a table after row {number}: {error}") from error


def _records(
    path: Path, text_column: str, id_column: str | None, columns: Sequence[str]
) -> Iterator[dict[str, object]]:
    wanted = [text_column] + ([id_column] if id_column else [])
    if columns and path.suffix.lower() == ".parquet":
        others = carried_names(pq.read_schema(path).names, columns, text_column, id_column)
        wanted = list(dict.fromkeys([*wanted, *others]))
    if path.suffix.lower() == ".jsonl":
        yield from _json_lines(path, wanted)
        return
    for batch in _batches(path, wanted):
        yield from batch.to_pylist()


def _batches(path: Path, wanted: list[str]) -> Iterator[pa.RecordBatch]:
    if path.suffix.lower() == ".parquet":
        table = pq.ParquetFile(path)
        _check(path, wanted, table.schema_arrow.names)
        yield from table.iter_batches(batch_size=ROWS_AT_ONCE, columns=wanted)
    else:
        options = csv.ParseOptions(newlines_in_values=True)
        blocks = csv.ReadOptions(block_size=LARGEST_CELL)
        with csv.open_csv(path, parse_options=options, read_options=blocks) as reader:
            _check(path, wanted, reader.schema.names)
        # As it is written: a guess at its type would make 007 into 7, and a number no text.
        as_text = csv.ConvertOptions(column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted)
        with csv.open_csv(path, parse_options=options, read_options=blocks, convert_options=as_text) as reader:
            yield from reader


def _json_lines(path: Path, wanted: list[str]) -> Iterator[dict[str, object]]:
    with path.open(encoding="utf-8-sig") as lines:
        first = True
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as error:
                raise UserMistake(f"{path}: line {number} isn't JSON: {error}") from error
            if not isinstance(record, dict):
                raise UserMistake(f"{path}: line {number} isn't a JSON object")
            # Later records may lack their text (an empty document, by name), never their id.
            _check(path, wanted if first else wanted[1:], list(record))
            first = False
            yield record


def _name(path: Path, number: int, value: object) -> str:
    if value is None or value == "":
        raise UserMistake(f"{path}: row {number} has no value in its id column: give each row one")
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _check(path: Path, wanted: list[str], present: list[str]) -> None:
    for column in wanted:
        if column not in present:
            raise UserMistake(f"{path}: no column {column!r}; it has {', '.join(present)}")
