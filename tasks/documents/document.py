"""The record that flows from the source to the shards."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """One document as the source lists it, before anybody has read it.

    `document_id` is unique in the result set; `source` is a URI; `size` is in
    bytes. Files carry a `path`, table rows carry their `text`.
    """

    document_id: str
    source: str
    size: int
    path: str | None = None
    text: str | None = None


Documents = Iterator[Document]
