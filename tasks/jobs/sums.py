"""What documents add up to for a plan: read and cut, all of them or a part that stands for the rest."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from tasks.documents.document import Content, Document
from tasks.documents.extract import extract
from tasks.errors import DocumentFailed
from tasks.jobs.carried import Carried
from tasks.jobs.cut import Cut
from tasks.jobs.parallel import in_order
from tasks.jobs.prepare import Prepared
from tasks.jobs.reuse import Kept

CONFIDENCE = 1.96  # of 95 %


@dataclass(slots=True)
class Sums:
    """Sums over documents; those that were read stand for all, `factor` times as many bytes."""

    documents: int = 0
    unreadable: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    long: int = 0
    characters: int = 0
    bytes: int = 0
    # By document: its bytes and the tokens of its chunks, and how many these are.
    sizes: list[tuple[int, int, int]] = field(default_factory=list)
    factor: float = 1.0
    exact: bool = True

    def error(self) -> float:
        """Return the share by which tokens scaled up by bytes may be off (a ratio estimator, Cochran, 1977)."""
        count = len(self.sizes)
        total, tokens = sum(size for size, _, _ in self.sizes), sum(one for _, one, _ in self.sizes)
        if count < 2 or not tokens:
            return 1.0
        ratio = tokens / total
        spread = sum((one - ratio * size) ** 2 for size, one, _ in self.sizes) / (count - 1)
        return CONFIDENCE * math.sqrt(spread / count) * count / tokens


class Cuts(Protocol):
    """What cuts a text; `about` is told of what its document's prompt holds besides."""

    def about(self, fields: Mapping[str, str]) -> "Cuts":
        """Return what cuts for a document with these fields."""

    def cut(self, content: Content) -> Cut:
        """Cut a text. Raises DocumentFailed."""


def read_sums(prepared: Prepared, documents: Iterator[Document], cutter: Cuts, found: Kept, most: int) -> Sums:
    """Read and cut documents, up to so many bytes of them, on all processors."""
    sums, work = Sums(), prepared.work
    for document, cut in in_order(partial(_cut, cutter, found, prepared.carried, work), _within(documents, most)):
        _add(sums, document, cut)
    first = next(documents, None)
    if first is not None:
        _scale(sums, first, documents)
    return sums


def _within(documents: Iterator[Document], most: int) -> Iterator[Document]:
    """Yield documents until they have more than `most` bytes together; the others stay where they are."""
    total = 0
    while total <= most and (document := next(documents, None)) is not None:
        total += document.size
        yield document


def _cut(
    cutter: Cuts, found: Kept, carried: Carried, work: str, document: Document
) -> tuple[Document, Cut | DocumentFailed | None]:
    """Return a document with its cut, or with None where it is done."""
    try:
        content = extract(document)
        done = found.is_done(document.document_id, content.text, work + carried.mark(document))
        return document, None if done else cutter.about(carried.fields(document)).cut(content)
    except DocumentFailed as error:
        return document, error


def _add(sums: Sums, document: Document, cut: Cut | DocumentFailed | None) -> None:
    sums.documents += 1
    sums.bytes += document.size
    if cut is None:
        sums.unchanged += 1
    elif isinstance(cut, DocumentFailed):
        sums.unreadable[cut.reason] += 1
    else:
        sums.characters += len(cut.text)
        sums.long += len(cut.chunks) > 1
        sums.sizes.append((document.size, sum(chunk.tokens for chunk in cut.chunks), len(cut.chunks)))


def _scale(sums: Sums, first: Document, rest: Iterator[Document]) -> None:
    """Let what was read stand for the rest, whose bytes and documents are counted."""
    total = sums.bytes
    for document in itertools.chain([first], rest):
        total += document.size
        sums.documents += 1
    sums.factor, sums.exact = total / max(sums.bytes, 1), False
