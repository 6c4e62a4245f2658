"""Add up documents for a plan: read and cut all of them, or a sample that represents the rest."""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Protocol

from tasks.base.errors import DocumentFailed
from tasks.calls.cutting import Check, Cut
from tasks.documents.document import Content, Document
from tasks.documents.extract import extract
from tasks.documents.groups import grouped
from tasks.documents.readers.grammars import lacks_grammar
from tasks.ledger.questions import DoneDocument
from tasks.planning.extra_columns import ExtraColumns
from tasks.planning.parallel import Ended, in_order
from tasks.planning.prepared import Prepared
from tasks.planning.reuse import ReusableAnswers

CONFIDENCE = 1.96  # of 95 %
AT_ONCE, BYTES_AT_ONCE = 512, 8_000_000
# A hop to another thread costs as much as a short document.
CUT_AT_ONCE, BYTES_CUT_AT_ONCE = 64, 250_000
Known = tuple[Document, DoneDocument | None]


@dataclass(slots=True)
class SampleTotals:
    """Sums over documents; those that were read represent all, which have `factor` times their bytes."""

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
    # Source code that is read as text alone.
    plain_code: int = 0

    def notes(self) -> list[str]:
        """Return what is to be said of how the documents are read."""
        if not self.plain_code:
            return []
        files = f"{self.plain_code:,} files of source code are"
        return [f"{files} cut as plain text: pip install 'docmill[code]' has them cut where functions begin"]

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
    """Cuts texts; `about` takes the other fields of a document's prompt."""

    def about(self, fields: Mapping[str, str]) -> "Cuts":
        """Return what cuts for a document with these fields."""

    def cut(self, content: Content, check: Check) -> Cut:
        """Cut a text, as long as `check` raises nothing. Raises DocumentFailed."""


def sample_totals(
    prepared: Prepared,
    documents: Iterator[Document],
    cutter: Cuts,
    found: ReusableAnswers,
    most: int,
    sizes: Callable[[], Iterator[int]] | None = None,
) -> SampleTotals:
    """Read and cut documents, up to so many bytes of them, on all processors.

    `sizes`, where they can be listed sooner than the documents, are those of all of them.
    """
    sums, fingerprint = SampleTotals(), prepared.fingerprint
    known = _known(found, _within(documents, most))
    for cuts in in_order(partial(_cut_all, cutter, prepared.carried, fingerprint), known):
        for document, cut in cuts:
            _add(sums, document, cut)
    first = next(documents, None)
    if first is not None:
        rest = (document.size for document in itertools.chain([first], documents))
        _scale(sums, itertools.islice(sizes(), sums.documents, prepared.options.limit) if sizes else rest)
    return sums


def _within(documents: Iterator[Document], most: int) -> Iterator[Document]:
    """Yield documents until they have more than `most` bytes together; the others stay where they are."""
    total = 0
    while total <= most and (document := next(documents, None)) is not None:
        total += document.size
        yield document


def _known(found: ReusableAnswers, documents: Iterator[Document]) -> Iterator[list[Known]]:
    """Yield documents, some at a time, with what is done of them, asked for many at once."""
    for group in grouped(documents, AT_ONCE, BYTES_AT_ONCE):
        done = found.done([document.document_id for document in group])
        for some in grouped(group, CUT_AT_ONCE, BYTES_CUT_AT_ONCE):
            yield [(document, done.get(document.document_id)) for document in some]


def _cut_all(
    cutter: Cuts, carried: ExtraColumns, fingerprint: str, known: Sequence[Known], ended: Ended
) -> list[tuple[Document, Cut | DocumentFailed | None]]:
    return [_cut(cutter, carried, fingerprint, one, ended) for one in known]


def _cut(
    cutter: Cuts, carried: ExtraColumns, fingerprint: str, known: Known, ended: Ended
) -> tuple[Document, Cut | DocumentFailed | None]:
    """Return a document with its cut, or with None if it is done and its text and fingerprint haven't changed."""
    document, done = known

    def check() -> None:
        if ended():
            raise DocumentFailed("stopped", "nobody wants to know any more")

    try:
        check()
        content = extract(document, ended)
        if done == (sha256(content.text.encode()).hexdigest(), fingerprint + carried.mark(document)):
            return document, None
        return document, cutter.about(carried.fields(document)).cut(content, check)
    except DocumentFailed as error:
        return document, error


def _add(sums: SampleTotals, document: Document, cut: Cut | DocumentFailed | None) -> None:
    sums.documents += 1
    sums.bytes += document.size
    if cut is None:
        sums.unchanged += 1
    elif isinstance(cut, DocumentFailed):
        sums.unreadable[cut.reason] += 1
    else:
        sums.characters += len(cut.text)
        sums.plain_code += document.text is None and lacks_grammar(document.document_id)
        sums.long += len(cut.chunks) > 1
        sums.sizes.append((document.size, sum(chunk.tokens for chunk in cut.chunks), len(cut.chunks)))


def _scale(sums: SampleTotals, rest: Iterator[int]) -> None:
    """Let what was read stand for the rest, whose bytes and documents are counted."""
    total = sums.bytes
    for size in rest:
        total += size
        sums.documents += 1
    sums.factor, sums.exact = total / max(sums.bytes, 1), False
