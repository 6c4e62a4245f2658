"""The columns of tables that stand beside the answers, with the types that all files agree on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from tasks.documents.document import Document
from tasks.documents.fitting import type_as_written, type_of, unified
from tasks.documents.json_lines import JsonLines
from tasks.documents.parquet import Parquet, plain
from tasks.documents.partitions import is_whole_number, partitions
from tasks.documents.remote import said
from tasks.documents.sources import table_files
from tasks.documents.tables import damage, opened
from tasks.errors import UserMistake

ALL = "*"
SAMPLE = 1000  # records
DOCUMENT_ID = "document_id"
Types = Mapping[str, pa.DataType]


def carried_schema(
    inputs: Sequence[str],
    *,
    text_column: str,
    id_column: str | None,
    columns: Sequence[str],
    skip: Path | str | None = None,
) -> pa.Schema:
    """Return the Arrow types of the carried `columns` over all tables of the inputs, each nullable.

    `columns` are names, or `*` for all but the text (and the id, where it is called `document_id`).
    Types of Parquet are its own; those of JSON Lines and CSV are told by a table's first SAMPLE rows.
    Where files disagree, the type is the wider one, or string.

    Raises UserMistake for a name that no table has, and as `list_documents` does.
    """
    everything = ALL in columns
    kinds: dict[str, list[pa.DataType]] = {}
    for file, alone in table_files(inputs, skip):
        types = _types(file, () if everything else columns)
        folders = {} if alone else _of_folders(file)
        for name, kind in {**folders, **types}.items():
            known = kinds.setdefault(name, [])
            if kind not in known:
                known.append(kind)
    left_out = {text_column, *({DOCUMENT_ID} if id_column == DOCUMENT_ID else ())}
    names = [name for name in kinds if name not in left_out] if everything else list(dict.fromkeys(columns))
    for name in names:
        if name not in kinds:
            raise UserMistake(f"no column {name!r} to carry; there are {', '.join(kinds)}")
    return pa.schema([(name, unified(kinds[name])) for name in names])


def _of_folders(file: Document) -> Types:
    return {
        name: pa.null() if value is None else pa.int64() if is_whole_number(value) else pa.string()
        for name, value in partitions(file.document_id).items()
    }


def _types(file: Document, columns: Sequence[str]) -> Types:
    """Return the types of a table's columns; of one that is damaged none, since its rows fail by name."""
    try:
        with opened(file, columns) as table:
            if isinstance(table, Parquet):
                return {name: plain(table.schema.field(name).type) for name in table.columns}
            if isinstance(table, JsonLines):
                return {name: type_of(values) for name, values in table.sample(SAMPLE).items()}
            cells = next(table.batches(table.columns), None)
            return {name: type_as_written(cells.columns[name][:SAMPLE] if cells else ()) for name in table.columns}
    except Exception as error:
        if damage(error) is None and not isinstance(error, UserMistake):
            raise UserMistake(f"{file.path or file.source}: can't be read as a table: {said(error)}") from error
        return {}
