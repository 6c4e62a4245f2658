"""Table files: which files are some, and how one is opened, here or behind a URL."""

import contextlib
import gzip
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import pyarrow as pa

from tasks.base.errors import DocmillError, DocumentFailed
from tasks.documents.document import Document
from tasks.documents.object_store import said, stream
from tasks.documents.tables.batch import Batch
from tasks.documents.tables.delimited import Delimited
from tasks.documents.tables.json_lines import JsonLines
from tasks.documents.tables.parquet import Parquet

ENDINGS = (".parquet", ".jsonl", ".ndjson", ".csv", ".tsv")
PACKED = ".gz"


class Table(Protocol):
    """An open table."""

    @property
    def columns(self) -> list[str]:
        """The names of its columns; objects of JSON Lines may have more."""

    def batches(self, wanted: Sequence[str]) -> Iterator[Batch]:
        """Yield the rows of those of the columns that are there."""


def is_table(name: str) -> bool:
    """Whether the ending is one of the table formats."""
    return _plain(name).endswith(ENDINGS)


def _plain(name: str) -> str:
    """Return a name in small letters, without the ending of a packed one."""
    small = name.lower()
    return small if small.endswith(f".parquet{PACKED}") else small.removesuffix(PACKED)


@contextlib.contextmanager
def opened(file: Document, wanted: Sequence[str] = ()) -> Iterator[Table]:
    """Open a table file; `wanted` are columns by which the separator of a CSV is told.

    Raises whatever its format or its store raise: see `damage`.
    """
    name = _plain(file.document_id)
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(_stream(file, forward=not name.endswith(".parquet")))
        if file.document_id.lower().endswith(PACKED):
            raw = cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=raw)))
        if name.endswith(".parquet"):
            yield Parquet(raw)
        elif name.endswith((".jsonl", ".ndjson")):
            yield JsonLines(raw)
        else:
            yield Delimited(raw, wanted)


def _stream(file: Document, *, forward: bool) -> BinaryIO:
    if file.remote is not None:
        return stream(file.remote, forward=forward)
    return Path(file.path or "").open("rb")


def damage(error: Exception) -> str | None:
    """Say what is wrong with a table's content; None where it is its store that failed."""
    if isinstance(error, DocmillError) and not isinstance(error, DocumentFailed):
        return None
    # What pyarrow says of a damaged file is an OSError without a number.
    unnumbered = isinstance(error, OSError) and type(error) in {OSError, gzip.BadGzipFile} and error.errno is None
    content = isinstance(error, (pa.ArrowException, ValueError, EOFError, zlib.error, DocumentFailed))
    return said(error) if content or unnumbered else None
