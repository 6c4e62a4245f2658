"""From the rows of a table to documents, streamed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, TypeVar

import pyarrow as pa

from tasks.base.errors import DocmillError, JobPaused, UserMistake
from tasks.documents.document import Document
from tasks.documents.object_store import said, shown
from tasks.documents.tables.batch import Batch
from tasks.documents.tables.column_schema import kinds_in
from tasks.documents.tables.column_types import UnfitColumn, fitted
from tasks.documents.tables.formats import damage, opened
from tasks.documents.tables.partitions import partitions

NO_ID, NO_TEXT, DAMAGED = "no_id", "no_text", "damaged"
T = TypeVar("T")
# Called where a table lacks a column: raises UserMistake if no row of any table has it.
Lacking = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read of each row: the columns of its text, its id, and those that are carried."""

    text: str
    id: str | None
    carried: pa.Schema


@dataclass(frozen=True, slots=True)
class _File:
    """A table file, with the prefix of its rows' names and the columns that its folders give to each row."""

    file: Document
    wanted: Wanted
    prefix: str
    folders: dict[str, str | None]
    lacking: Lacking

    def name(self, number: int) -> str:
        """Return what row `number` is called where it has no id of its own."""
        return f"{self.prefix}#{number}"


def rows(file: Document, wanted: Wanted, lacking: Lacking, *, alone: bool) -> Iterator[Document]:
    """Yield a document for each row, named by its id, else by its number (after the file's name, unless `alone`).

    A row without a text (null, missing, or not a string) or an id, or that can't be read, becomes a
    document with `trouble`: no row is dropped. The rest of a damaged table becomes one such document.
    Raises UserMistake for a table that can't be opened, and as `lacking` does; JobPaused if its store fails
    later, or if a carried value isn't of its column's type because the table has changed.
    """
    table = _File(
        file, wanted, "" if alone else file.document_id, {} if alone else partitions(file.document_id), lacking
    )
    yield from _each(table, _documents, lambda rest: rest)


def sizes(file: Document, text: str, lacking: Lacking) -> Iterator[int]:
    """Yield the sizes of the documents of `rows` without making them, which is four times as fast."""
    table = _File(file, Wanted(text, None, pa.schema([])), file.document_id, partitions(file.document_id), lacking)
    yield from _each(table, _sizes, lambda rest: rest.size)


def _each(table: _File, make: Callable[[_File, Batch, int], list[T]], last: Callable[[Document], T]) -> Iterator[T]:
    """Yield what `make` returns for each batch of rows, then `last` of the document for the unreadable rest, if any."""
    number = 0
    try:
        for batch in _batches(table):
            yield from make(table, batch, number)
            number += batch.rows
    except DocmillError as error:
        if damage(error) is None:
            raise
        yield last(_rest(table, number, error))
    except Exception as error:  # noqa: BLE001 - each store has errors of its own
        yield last(_rest(table, number, error))


def _rest(table: _File, number: int, error: Exception) -> Document:
    """Return the document that stands for all that can't be read from row `number` on."""
    words, file = damage(error), table.file
    if words is None and file.remote is None and not isinstance(error, OSError):
        raise error  # a defect
    place = shown(file.path or file.source)
    if words is None and number:
        raise JobPaused(f"{place}: can't be read any more after row {number}: {said(error)}") from error
    if words is None or (number == 0 and not table.prefix):
        raise UserMistake(f"{place}: can't be read as a table: {words or said(error)}") from error
    trouble = f"the table can't be read from row {number} on ({words}): all after it is missing"
    return Document(table.name(number), f"{file.source}#row={number}", 0, text="", trouble=trouble)


def _batches(table: _File) -> Iterator[Batch]:
    wanted = table.wanted
    needed = [wanted.text, *([wanted.id] if wanted.id else [])]
    with opened(table.file, needed) as reader:
        if not {*needed} <= {*reader.columns, *table.folders}:
            table.lacking()
        names = dict.fromkeys([*needed, *wanted.carried.names])
        # A later record of JSON Lines may have columns that the first one lacks.
        of_file = [name for name in names if name in reader.columns or name not in table.folders]
        yield from reader.batches(of_file)


def _documents(table: _File, batch: Batch, first: int) -> list[Document]:
    wanted, numbers = table.wanted, range(first, first + batch.rows)
    texts = _texts(table, batch)
    base = f"{table.file.source}#row="
    sources = [f"{base}{number}" for number in numbers]
    ids = _column(table, batch, wanted.id) if wanted.id else None
    names = _names(table, ids, numbers)
    carried = _carried(table, batch)
    made = list(map(Document, names, sources, map(_size, texts), repeat(None), texts, carried))
    for place, (kind, trouble) in _troubles(table, batch, ids, first):
        made[place] = made[place]._replace(trouble=trouble, trouble_kind=kind)
        if kind == DAMAGED:
            name = table.name(first + place) if wanted.id else names[place]
            made[place] = made[place]._replace(document_id=name, text="", size=0)
    return made


def _troubles(
    table: _File, batch: Batch, ids: Sequence[Any] | None, first: int
) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield the rows that can't be read, and why: the last reason that is given of a row counts."""
    text = table.wanted.text
    for place, value in enumerate(_column(table, batch, text)):
        if not isinstance(value, str) and _as_string(value) is None:
            yield place, (NO_TEXT, f"row {first + place} holds {_named(value)} in its column {text!r}")
    for place, value in enumerate(ids or ()):
        if value is None or value == "":
            yield place, (NO_ID, f"row {first + place} has no value in its id column: give each row one")
    yield from ((place, (DAMAGED, trouble)) for place, trouble in batch.troubles.items())


def _named(value: Any) -> str:
    kinds = {type(None): "no text", dict: "an object, no text", bytes: "bytes that aren't UTF-8"}
    return kinds.get(type(value), f"a {type(value).__name__}, no text")


def _sizes(table: _File, batch: Batch, _: int) -> list[int]:
    made = list(map(_size, _texts(table, batch)))
    for place in batch.troubles:
        made[place] = 0
    return made


def _texts(table: _File, batch: Batch) -> list[str]:
    return [
        value if isinstance(value, str) else _as_string(value) or ""
        for value in _column(table, batch, table.wanted.text)
    ]


def _as_string(value: Any) -> str | None:
    """Return text that Parquet keeps as bytes, as writers without its types do; None for what isn't text."""
    if not isinstance(value, bytes):
        return value if isinstance(value, str) else None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _names(table: _File, ids: Sequence[Any] | None, numbers: range) -> list[str]:
    if ids is None:
        return [table.name(number) for number in numbers] if table.prefix else list(map(str, numbers))
    return [
        (value if value.isascii() else value.encode("utf-8", "backslashreplace").decode())
        if isinstance(value, str) and value
        else (table.name(number) if value is None or value == "" else str(value))
        for value, number in zip(ids, numbers, strict=True)
    ]


def _column(table: _File, batch: Batch, name: str) -> Sequence[Any]:
    return batch.columns[name] if name in batch.columns else [table.folders.get(name)] * batch.rows


def _carried(table: _File, batch: Batch) -> Sequence[dict[str, Any] | None]:
    schema = table.wanted.carried
    if not len(schema):
        return [None] * batch.rows
    columns = [_fitted(table, _column(table, batch, field.name), field) for field in schema]
    return [dict(zip(schema.names, values, strict=True)) for values in zip(*columns, strict=True)]


def _fitted(table: _File, values: Sequence[Any], field: pa.Field) -> Sequence[Any]:
    try:
        return fitted(values, field.type)
    except UnfitColumn as error:
        kinds_in.cache_clear()
        place = shown(table.file.path or table.file.source)
        raise JobPaused(
            f"{place}: its column {field.name!r} is no longer of {field.type} ({error}): the table has changed since "
            "the job began: run the same command again"
        ) from error
