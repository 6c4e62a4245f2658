"""What a job takes of the other columns of a table: those its prompt names, and those that stand beside the answers."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tasks.documents.document import Document
from tasks.documents.tables.column_schema import ALL, carried_schema
from tasks.documents.tables.column_types import as_text
from tasks.prompting.options import Options
from tasks.prompting.templates import COLUMN, FIELD, SCHEMA, TEXT, read_template
from tasks.results.json_columns import free_name


@dataclass(frozen=True, slots=True)
class ExtraColumns:
    """`asked` are columns in the prompt; `joined` the fields of `documents` that hold the columns called `names`."""

    asked: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    joined: tuple[pa.Field, ...] = ()

    @property
    def wanted(self) -> tuple[str, ...]:
        """The columns that documents are to carry."""
        return (ALL,) if self.joined else self.asked

    def fields(self, document: Document) -> dict[str, str]:
        """Return a document's own fields of the prompt: what it lacks is empty."""
        values = document.columns or {}
        return {COLUMN + name: _text(values.get(name)) for name in self.asked}

    def values(self, document: Document) -> dict[str, Any]:
        """Return what stands beside a document's answer."""
        values = document.columns or {}
        pairs = zip(self.joined, self.names, strict=True)
        return {field.name: _clean(values.get(name)) for field, name in pairs}

    def mark(self, document: Document) -> str:
        """Return a mark that changes when one of the document's carried columns does; "" without any."""
        if not document.columns:
            return ""
        text = json.dumps(document.columns, sort_keys=True, default=str)
        return ":" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


NOTHING = ExtraColumns()


def table_columns(inputs: Sequence[str], options: Options) -> pa.Schema:
    """Return the columns that the prompt may name and that `--join` takes; none where neither needs them.

    Raises UserMistake as `carried_schema` does.
    """
    template = read_template(options.prompt) if options.prompt else ""
    named = {*FIELD.findall(template)} - {TEXT, SCHEMA}
    if options.text_column is None or not (options.join or named):
        return pa.schema([])
    return carried_schema(
        inputs, text_column=options.text_column, id_column=options.id_column, columns=(ALL,), skip=options.folder.path
    )


def carried_with(table: pa.Schema, asked: Iterable[str], own: Sequence[str], *, join: bool) -> ExtraColumns:
    """Return what is carried of a table's columns; beside the answers none is called as one of the table's `own`."""
    if not join:
        return ExtraColumns(tuple(asked))
    used = {name.lower() for name in own}
    joined = tuple(
        pa.field(free_name(field.name, "input_", used), field.type, metadata=_about(field.name)) for field in table
    )
    return ExtraColumns(tuple(asked), tuple(table.names), joined)


def _about(name: str) -> Mapping[str, str]:
    return {"description": f"the column {name} of the input"}


def _text(value: Any) -> str:
    return str(_clean(as_text(value) or ""))


def _clean(value: Any) -> Any:
    """Lone surrogates, which no tokenizer or table takes, become U+FFFD."""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if isinstance(value, str) else value
