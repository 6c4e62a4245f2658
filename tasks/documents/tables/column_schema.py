"""The columns of tables that stand beside the answers, with the types that all files agree on."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.base.errors import UserMistake
from tasks.documents.document import Document
from tasks.documents.object_store import said
from tasks.documents.sources import table_files
from tasks.documents.tables.column_types import Kinds, take_cells, take_json
from tasks.documents.tables.formats import Table, damage, opened
from tasks.documents.tables.json_lines import JsonLines
from tasks.documents.tables.parquet import Parquet
from tasks.documents.tables.partitions import is_whole_number, partitions

ALL = "*"
DOCUMENT_ID = "document_id"
Types = Mapping[str, Kinds]


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
    Types of Parquet are its own; those of JSON Lines and CSV are told by all rows, in flat memory.
    Where values disagree, the type is a wider one that holds each as it stands, or string.

    Raises UserMistake for a name that no table has, and as `list_documents` does.
    """
    everything = ALL in columns
    kinds: dict[str, Kinds] = {}
    for file, alone in table_files(inputs, skip):
        wanted = None if everything else frozenset(columns)
        types = kinds_in(file, wanted, text_column, _state(file))
        folders = {} if alone else _of_folders(file)
        for name, known in {**folders, **types}.items():
            kinds.setdefault(name, Kinds()).join(known)
    left_out = {text_column, *({DOCUMENT_ID} if id_column == DOCUMENT_ID else ())}
    names = [name for name in kinds if name not in left_out] if everything else list(dict.fromkeys(columns))
    for name in names:
        if name not in kinds:
            raise UserMistake(f"no column {name!r} to carry; there are {', '.join(kinds)}")
    return pa.schema([(name, kinds[name].unified()) for name in names])


def _of_folders(file: Document) -> Types:
    return {
        name: Kinds([pa.null() if value is None else pa.int64() if is_whole_number(value) else pa.string()], True)
        for name, value in partitions(file.document_id).items()
    }


def _state(file: Document) -> object:
    """Return a value that changes when the file does; None behind a URL, where only the size is known."""
    try:
        return Path(file.path).stat().st_mtime_ns if file.path else None
    except OSError:
        return None


# A job lists its documents several times, and a comparison prepares one job per route.
@functools.lru_cache(maxsize=1024)
def kinds_in(file: Document, wanted: frozenset[str] | None, text: str, state: object) -> Types:  # noqa: ARG001
    """Return the known types of a table's columns; the text and columns that aren't `wanted` count as strings.

    In a damaged table, the rows before the damage decide, since the rest fails by name. The result is cached
    as long as the file's size and `state` stay the same; `kinds_in.cache_clear()` clears the cache.
    """
    kinds: dict[str, Kinds] = {}
    try:
        with opened(file, [text]) as table:
            _tell(table, kinds, lambda name: name != text and (wanted is None or name in wanted))
    except Exception as error:
        if damage(error) is None and not isinstance(error, UserMistake):
            raise UserMistake(f"{file.path or file.source}: can't be read as a table: {said(error)}") from error
    return kinds


def _tell(table: Table, kinds: dict[str, Kinds], is_wanted: Callable[[str], bool]) -> None:
    if isinstance(table, Parquet):
        for name, kind in table.kinds.items():
            kinds[name] = Kinds([kind], pa.types.is_integer(kind) and kind.bit_width == 64)
        return
    take = take_json if isinstance(table, JsonLines) else take_cells
    for name in table.columns:
        kinds[name] = Kinds([pa.null()] if is_wanted(name) else [pa.string()])
    for columns in _columns(table, [name for name in table.columns if is_wanted(name)]):
        for name, values in columns.items():
            known = kinds.setdefault(name, Kinds([] if is_wanted(name) else [pa.string()]))
            take(values, known)


def _columns(table: Table, names: Sequence[str]) -> Iterator[Mapping[str, Sequence[Any]]]:
    """Yield the values of some rows at a time; of cells only where a column of these may have a type."""
    if isinstance(table, JsonLines):
        yield from table.values()
    elif names:
        yield from (batch.columns for batch in table.batches(names))
