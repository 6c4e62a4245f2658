"""The documents that every route is asked about: few, and of all sizes that the source has."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.base.errors import DocumentFailed, UserMistake
from tasks.documents.document import Document, Documents
from tasks.documents.extract import extract

# A document that can't be read doesn't test a route: up to this many others of similar size are tried in its place.
NEIGHBOURS = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """Documents in the order of the source, the characters of each, and how many documents the source has."""

    documents: tuple[Document, ...]
    characters: dict[str, int]
    of: int

    @property
    def names(self) -> tuple[str, ...]:
        """The identifiers of the documents."""
        return tuple(document.document_id for document in self.documents)


def take_sample(listed: Callable[[], Documents], count: int) -> Sample:
    """Return `count` documents of a source, spread over it by size; all where it has no more.

    `listed` lists the source anew: it is read twice, and 8 bytes a document are kept.
    Raises UserMistake where none of those that were tried can be read.
    """
    sizes = array("q", (0 if document.trouble else document.size for document in listed()))
    groups = spread(sizes, count)
    wanted = {number: group for group, numbers in enumerate(groups) for number in numbers}
    found: dict[int, tuple[int, Document]] = {}
    characters: dict[str, int] = {}
    for number, document in _picked(listed(), wanted):
        group = wanted[number]
        better = group in found and groups[group].index(found[group][0]) < groups[group].index(number)
        if better or (length := _characters(document)) is None:
            continue
        found[group] = number, document
        characters[document.document_id] = length
    if not found:
        raise UserMistake(f"no sample of {len(sizes):,} documents can be read: give INPUTs that hold text")
    documents = tuple(document for _, document in sorted(found.values(), key=lambda pair: pair[0]))
    return Sample(documents, {one.document_id: characters[one.document_id] for one in documents}, len(sizes))


def spread(sizes: Sequence[int], count: int) -> list[list[int]]:
    """Return for each place in a sample the numbers of documents that may take it, the best first.

    The documents are divided by size into `count` groups of equal number; the middle of each represents it.
    Empty documents are left out if there are others.
    """
    values = np.asarray(sizes, np.int64)
    order = np.argsort(values, kind="stable")
    order = order[values[order] > 0] if values.any() else order
    return [_from_the_middle(group) for group in np.array_split(order, min(count, len(order)))]


def _from_the_middle(group: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> list[int]:
    """Return the numbers in the middle of a group and beside it, the nearest first, of two the larger document's."""
    middle = (len(group) - 1) / 2
    near = range(max(0, int(middle) - NEIGHBOURS // 2), min(len(group), int(middle) + NEIGHBOURS // 2 + 1))
    return [int(group[place]) for place in sorted(near, key=lambda place: (abs(place - middle), -place))]


def _picked(documents: Documents, wanted: dict[int, int]) -> Iterator[tuple[int, Document]]:
    return ((number, document) for number, document in enumerate(documents) if number in wanted)


def _characters(document: Document) -> int | None:
    """Return the length of a document's text, or None where it has none."""
    try:
        return len(extract(document).text)
    except DocumentFailed:
        return None
