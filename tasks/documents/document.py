"""The records that flow from the source to the shards: a document, and what is in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Document:
    """One document as the source lists it, before anybody has read it.

    `document_id` is unique in the result set; `source` is a URI; `size` is in
    bytes. Files carry a `path`, table rows carry their `text`, and those other `columns`
    of the table that the job needs.
    """

    document_id: str
    source: str
    size: int
    path: str | None = None
    text: str | None = None
    columns: Mapping[str, Any] | None = None


Documents = Iterator[Document]


class Section(NamedTuple):
    """Where a section begins, in characters, its depth (1 is the outermost) and its heading."""

    start: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Content:
    """A document's text, and its sections in order, where its format has them.

    `code`: the sections are a program's top-level definitions, which are better kept whole.
    """

    text: str
    sections: tuple[Section, ...] = ()
    code: bool = False
