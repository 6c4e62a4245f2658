"""The records that flow from the source to the shards: a document, and what is in it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Remote(NamedTuple):
    """Where an object lies: the URL that its store is opened by, and its path there.

    Either may hold a signature: they are never shown (`Document.source` is).
    """

    url: str
    path: str


class Document(NamedTuple):
    """One document as the source lists it, before anybody has read it.

    `document_id` is unique in the result set; `source` is a URI; `size` is in
    bytes. Files carry a `path`, objects in a store their place (`remote`); table rows carry
    their `text`, and those other `columns` of the table that the job needs.
    `trouble` says why it can't be read at all, where the source knows it already:
    `extract` raises it with the reason `trouble_kind`.
    """

    document_id: str
    source: str
    size: int
    path: str | None = None
    text: str | None = None
    columns: Mapping[str, Any] | None = None
    trouble: str | None = None
    trouble_kind: str = "damaged"
    remote: Remote | None = None

    def __repr__(self) -> str:
        """Show what it is called and where it comes from: not its text, nor what may hold a signature."""
        return f"Document({self.document_id!r}, {self.source!r})"


Documents = Iterator[Document]


class Section(NamedTuple):
    """Where a section begins, in characters, its depth (1 is the outermost) and its heading."""

    start: int
    level: int
    title: str


class Unread(NamedTuple):
    """A part of a document that couldn't be read.

    `start` is where its text would stand, in characters; `part` names it as a person finds it
    (`page 3`, `chapter 7 (ch07.xhtml)`, `Sheet1!B7`); `reason` says why, and how to mend it.
    """

    start: int
    part: str
    reason: str


class Content(NamedTuple):
    """A document's text, its sections in order, where its format has them, and what of it couldn't be read.

    `code`: the sections are a program's top-level definitions, which are better kept whole.
    """

    text: str
    sections: tuple[Section, ...] = ()
    code: bool = False
    unread: tuple[Unread, ...] = ()
