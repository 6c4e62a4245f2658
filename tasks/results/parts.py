"""The Parquet parts of a result set.

A document's rows stay in the part they were first written to: when it changes,
that part is written anew and takes the old one's place in one step. So a reader
finds one row a document at every instant, never two and never none.
"""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.errors import UserMistake
from tasks.results.files import replace_file
from tasks.results.schemas import TABLES, Row, Schemas

# Documents come last: a reader who sees a document's row finds its calls too.
ORDER = ("chunks", "calls", "failures", "sections", "documents")


def create_tables(output: Path, schemas: Schemas = TABLES) -> None:
    """Make the folders, with one empty part each so that every glob matches from the start.

    Raises UserMistake where the output can't be written.
    """
    try:
        (output / ".docmill").mkdir(parents=True, exist_ok=True)
        for name, schema in schemas.items():
            (output / name).mkdir(exist_ok=True)
            empty = part_path(output, name, 0)
            if not empty.exists():
                write_table(empty, schema.empty_table())
    except OSError as error:
        message = f"{output} can't be written: {error.strerror}: give another --output, or mend its permissions"
        raise UserMistake(message) from error


def fit_documents(output: Path, schema: pa.Schema) -> None:
    """Write parts of `documents` with other columns anew, that one glob reads them all. Raises StorageFailed.

    What a column held that isn't there any more, or that its new type can't hold, is given up.
    """
    for path in sorted((output / "documents").glob("part-*.parquet")):
        with contextlib.suppress(OSError, pa.ArrowException):  # a damaged part is written again from the ledger
            if not pq.read_schema(path).equals(schema):
                write_table(path, _fitted(pq.ParquetFile(path).read(), schema))


def _fitted(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table in another schema; null where it has no value for it."""
    return pa.Table.from_arrays([_column(table, field) for field in schema], schema=schema)


def _column(table: pa.Table, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    with contextlib.suppress(KeyError, pa.ArrowException):
        return table[field.name].cast(field.type)
    return pa.nulls(table.num_rows, field.type)


def part_path(output: Path, table: str, part: int) -> Path:
    """Return the path of a part."""
    return output / table / f"part-{part:06d}.parquet"


def held_documents(output: Path) -> dict[str, int]:
    """Return the part that each document's row lies in, as the files themselves tell."""
    found: dict[str, int] = {}
    for path in sorted((output / "documents").glob("part-*.parquet")):
        with contextlib.suppress(OSError, pa.ArrowException):  # a damaged part holds nothing
            part = int(path.stem.removeprefix("part-"))
            found |= dict.fromkeys(pq.read_table(path, columns=["document_id"])["document_id"].to_pylist(), part)
    return found


def is_sound(output: Path, part: int, documents: int, calls: int, failures: int) -> bool:
    """Whether a part can be read and holds at least so many rows; only the files' footers are read."""
    wanted = {"documents": documents, "calls": calls, "failures": failures}
    return all(_rows(part_path(output, name, part)) >= count for name, count in wanted.items() if count)


def _rows(path: Path) -> int:
    try:
        count: int = pq.read_metadata(path).num_rows
    except (OSError, pa.ArrowException):
        return -1
    return count


def write_part(
    output: Path,
    part: int,
    document_ids: Collection[str],
    tables: Mapping[str, Sequence[Row] | pa.Table],
    schemas: Schemas = TABLES,
) -> None:
    """Put the rows of `document_ids` in place of what the part holds of them.

    Raises StorageFailed where the disk refuses; the part is then as it was.
    """
    for name in (name for name in ORDER if name in schemas):
        path = part_path(output, name, part)
        rows = as_table(tables.get(name, ()), schemas[name])
        if _rows(path) >= 0:
            rows = pa.concat_tables([_others(path, schemas[name], document_ids), rows])
        elif not rows.num_rows:
            continue
        write_table(path, rows)


def as_table(rows: Sequence[Row] | pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows as a table, made by columns: each is a short step, so no thread waits long for Python's lock."""
    if isinstance(rows, pa.Table):
        return rows
    if not rows:
        return schema.empty_table()
    columns = zip(*map(itemgetter(*schema.names), rows), strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def write_table(path: Path, table: pa.Table) -> None:
    """Write one Parquet file, whole or not at all."""
    replace_file(path, lambda beside: pq.write_table(table, beside, compression="zstd"))


def _others(path: Path, schema: pa.Schema, document_ids: Collection[str]) -> pa.Table:
    """Return the rows of a part that belong to other documents."""
    held = pq.read_table(path, schema=schema)
    mine = pc.is_in(held["document_id"], value_set=pa.array(list(document_ids), pa.string()))
    return held.filter(pc.invert(mine))
