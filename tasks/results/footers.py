"""The footers of all parts: their numbers of rows and schemas."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.results.location import Folder

# A footer is seldom larger; where it is, the part is read whole.
TAIL = 2**16
# A bucket answers slowly, but many requests at once.
AT_ONCE = 16
T = TypeVar("T")
R = TypeVar("R")


class Footer(NamedTuple):
    """The number of rows of a part, and its schema."""

    rows: int
    schema: pa.Schema


# By name; a part that isn't there or is damaged has none.
Footers = Mapping[str, Footer]


def footers(folder: Folder, tables: Iterable[str]) -> Footers:
    """Return the footers of all parts of these tables. Raises StorageFailed."""
    parts = [part for table in tables for part in folder.parts(table).items()]
    found = zip(parts, each(lambda part: _footer(folder, *part), parts), strict=True)
    schemas: dict[pa.Schema, pa.Schema] = {}  # one object for all that are equal: there are few
    return {
        name: Footer(footer.rows, schemas.setdefault(footer.schema, footer.schema))
        for (name, _), footer in found
        if footer is not None
    }


def is_sound(found: Footers, part: int, documents: int, calls: int, failures: int) -> bool:
    """Whether a part is there and holds at least so many rows."""
    wanted = {"documents": documents, "calls": calls, "failures": failures}
    return all(_rows(found, part_name(name, part)) >= count for name, count in wanted.items() if count)


def part_name(table: str, part: int) -> str:
    """Return the name of a part."""
    return f"{table}/part-{part:06d}.parquet"


def each(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return the result for each item, in order, with many under way."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, items))


def _rows(found: Footers, name: str) -> int:
    return found[name].rows if name in found else -1


def _footer(folder: Folder, name: str, size: int) -> Footer | None:
    start = max(0, size - TAIL)
    return footer_of(folder.read(name, start)) or (footer_of(folder.read(name)) if start else None)


def footer_of(data: bytes | None) -> Footer | None:
    """Return the footer that a part's last bytes hold, or None where they hold none."""
    if not data:
        return None
    try:
        meta = pq.read_metadata(pa.BufferReader(data))
        return Footer(meta.num_rows, meta.schema.to_arrow_schema())
    except (OSError, pa.ArrowException):
        return None
