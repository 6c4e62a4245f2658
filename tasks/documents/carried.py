"""The other columns of a table that its documents carry along: their names and types."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import UserMistake

ALL = "*"


def carried_schema(
    inputs: Sequence[str],
    *,
    text_column: str,
    id_column: str | None,
    columns: Sequence[str],
    skip: Path | str | None = None,  # noqa: ARG001 - of folders, which hold no Parquet table here
) -> pa.Schema:
    """Return the columns that documents of these inputs carry: those named, or with "*" all but the text and the id.

    Raises UserMistake for a table that can't be read, or without a column that is named.
    """
    found = pa.schema([])
    for path in map(Path, inputs if columns else ()):
        if path.suffix.lower() != ".parquet":
            raise UserMistake(f"{path}: only a Parquet table's columns can be carried along")
        try:
            found = pq.read_schema(path).remove_metadata()
        except (OSError, pa.ArrowException) as error:
            raise UserMistake(f"{path}: can't be read as a table: {error}") from error
    return pa.schema([found.field(name) for name in carried_names(found.names, columns, text_column, id_column)])


def carried_names(
    present: Sequence[str], columns: Sequence[str], text_column: str | None, id_column: str | None
) -> list[str]:
    """Return the names among those present that are to be carried."""
    if ALL in columns:
        return [name for name in present if name not in (text_column, id_column)]
    return [name for name in present if name in columns]
