"""The Parquet parts of a result set.

A document's rows stay in the part they were first written to: when it changes,
that part is written anew and takes the old one's place in one step. So a reader
finds one row a document at every instant, never two and never none.
"""

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.base.errors import StorageFailed
from tasks.results.footers import each, footer_of, part_name
from tasks.results.location import Folder
from tasks.results.schemas import TABLES, Row, Schemas

# Documents come last: a reader who sees a document's row finds its calls too.
ORDER = ("chunks", "calls", "failures", "sections", "documents")


def create_tables(folder: Folder, schemas: Schemas = TABLES) -> None:
    """Create the location, with one empty part per table so that every glob matches from the start.

    Raises UserMistake or StorageRefused where the output can't be written.
    """
    folder.make([".docmill", *schemas])
    for table, schema in schemas.items():
        empty = part_name(table, 0)
        if empty not in folder.parts(table):
            write_table(folder, empty, schema.empty_table())


def held_documents(folder: Folder) -> dict[str, int]:
    """Return the part that each document's row lies in, as the files themselves tell. Raises StorageFailed."""
    names = list(folder.parts("documents"))
    found: dict[str, int] = {}
    for name, ids in zip(names, each(lambda name: _ids(folder, name), names), strict=True):
        found |= dict.fromkeys(ids, int(name.rpartition("-")[2].removesuffix(".parquet")))
    return found


def _ids(folder: Folder, name: str) -> list[str]:
    try:
        ids: list[str] = read_part(folder, name, ["document_id"])["document_id"].to_pylist()
    except Damaged:
        return []  # it holds nothing
    return ids


class Damaged(StorageFailed):
    """A part can't be read; once it is removed, its rows are written again from the ledger."""


def read_part(folder: Folder, name: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a part's rows, of all or some columns; an older part may lack one. Raises StorageFailed; Damaged."""
    return _parsed(folder, name, folder.read(name) or b"", columns)


def _parsed(folder: Folder, name: str, data: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        return file.read(None if columns is None else [name for name in columns if name in file.schema_arrow.names])
    except (OSError, pa.ArrowException) as error:
        fix = "remove it and run the same command again, which writes it anew"
        raise Damaged(f"{folder.location}/{name} is damaged: {fix}") from error


def write_part(
    folder: Folder,
    part: int,
    document_ids: Collection[str],
    tables: Mapping[str, Sequence[Row] | pa.Table],
    schemas: Schemas = TABLES,
) -> None:
    """Put the rows of `document_ids` in place of what the part holds of them.

    Raises StorageFailed where the disk or the bucket refuses; the part is then as it was.
    """
    for table in (table for table in ORDER if table in schemas):
        name = part_name(table, part)
        rows = as_table(tables.get(table, ()), schemas[table])
        data = folder.read(name)
        if data is not None and footer_of(data) is not None:
            held = conformed(_parsed(folder, name, data), schemas[table])
            rows = pa.concat_tables([_others(held, document_ids), rows])
        elif not rows.num_rows:
            continue
        write_table(folder, name, rows)


def as_table(rows: Sequence[Row] | pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows as a table, made by columns: each is a short step, so no thread waits long for Python's lock."""
    if isinstance(rows, pa.Table):
        return rows
    if not rows:
        return schema.empty_table()
    columns = zip(*map(itemgetter(*schema.names), rows), strict=True)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def column_table(columns: Mapping[str, Any], rows: int, schema: pa.Schema) -> pa.Table:
    """Return columns as a table of so many rows: each a list, or one value for all; one that isn't given is null."""
    arrays = [_column(columns.get(field.name), rows, field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _column(values: Any, rows: int, kind: pa.DataType) -> pa.Array:
    return pa.array(values, kind) if isinstance(values, list) else pa.repeat(pa.scalar(values, kind), rows)


def write_table(folder: Folder, name: str, table: pa.Table) -> None:
    """Write one part, whole or not at all. Raises StorageFailed."""
    # The numbers of vectors hardly repeat: a dictionary and statistics for them would take half of the time.
    plain = [field.name for field in table.schema if not pa.types.is_fixed_size_list(field.type)]

    def write(file: BinaryIO) -> None:
        words: dict[str, Any] = {"compression": "zstd", "use_dictionary": plain, "write_statistics": plain}
        with pq.ParquetWriter(file, table.schema, **words) as writer:
            # A group of no rows is what Hugging Face's datasets can't read; no group, it can.
            if table.num_rows:
                writer.write_table(table)

    folder.replace(name, write)


def conformed(held: pa.Table, wanted: pa.Schema) -> pa.Table:
    """Return a table with the columns of a schema that its own can be made to; a column it lacks is null."""
    columns = [
        held[field.name].cast(field.type) if field.name in held.column_names else pa.nulls(held.num_rows, field.type)
        for field in wanted
    ]
    return pa.Table.from_arrays(columns, schema=wanted)


def _others(held: pa.Table, document_ids: Collection[str]) -> pa.Table:
    mine = pc.is_in(held["document_id"], value_set=pa.array(list(document_ids), pa.string()))
    return held.filter(pc.invert(mine))
