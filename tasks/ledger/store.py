"""What the ledger asks of its database: reads on the caller's thread, writes on one thread, many a commit.

Rows of one kind that wait together are written by one statement: databases work
without Python's lock during a statement, and taking that lock back from a busy
event loop costs up to 5 ms each time.
"""

import asyncio
import contextlib
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from tasks.base.errors import JobPaused, StorageFailed
from tasks.ledger.query import Sql, in_sqlite

BATCH = 512
# SQLite takes 32,766 values a statement.
MOST_VALUES = 32_766
LINGER_SECONDS = 0.003

Value = str | int | float | bytes | None
Row = Sequence[Value]
# What is asked for may be one of many names.
Asked = Sequence[Value | list[str]]


@dataclass(frozen=True, slots=True, eq=False)
class Many:
    """A statement over many rows, each known by its first column: `head ROWS tail`.

    `types` are those of a row's columns, by their names in PostgreSQL.
    """

    head: str
    types: tuple[str, ...]
    tail: Sql = ""
    # Within a batch, notes about rows are written after the rows.
    is_note: bool = False

    def in_sqlite(self, rows: int) -> str:
        """Return the statement for so many rows, with a mark a value: `head VALUES (?, …), (?, …) tail`."""
        return _many(self, rows)


@cache
def _many(statement: Many, rows: int) -> str:
    row = "(" + ", ".join("?" * len(statement.types)) + ")"
    return f"{statement.head} VALUES {', '.join([row] * rows)} {in_sqlite(statement.tail)}"


# Statements in their order, each with its rows; one that is a text has one row of values.
Batch = Iterable[tuple[Many | Sql, Sequence[Row]]]


@dataclass(slots=True)
class _Item:
    """Rows that wait to be committed, and the futures to resolve then."""

    statement: Many | Sql
    rows: Sequence[Row]
    done: "Future[None] | None" = None
    awaited: "asyncio.Future[None] | None" = None
    flush: bool = False


class Store(ABC):
    """A database. A subclass starts `_writer` once it is open, and implements reading and committing."""

    # What to do where it can't be written.
    remedy: ClassVar[str]

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="ledger", daemon=True)

    @abstractmethod
    def read(self, sql: Sql, values: Asked = ()) -> list[tuple[Value, ...]]:
        """Return all rows of a query, as of the last commit. Raises StorageFailed where it can't be read."""

    @abstractmethod
    def stream(self, sql: Sql) -> Iterator[tuple[Value, ...]]:
        """Yield the rows of a query that may be many, on a connection of its own. Raises StorageFailed."""

    @abstractmethod
    def find(self, sql: Sql, values: Asked) -> list[tuple[Value, ...]]:
        """Do as `read`, for the event loop's thread alone: it never waits for another reader."""

    def alone(self, part: int) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002 - as a shared one's
        """Lock a part for the block against other processes that share the ledger; without any, do nothing."""
        return contextlib.nullcontext()

    @abstractmethod
    def doubt(self, why: object) -> StorageFailed:
        """Return the error to raise where what is read can't be what was written."""

    @abstractmethod
    def _commit(self, batch: Batch, *, flush: bool) -> None:
        """Write a batch in one transaction, all of it or nothing; on the writer's thread. May raise anything."""

    def write(self, sql: Sql, values: Row = ()) -> None:
        """Commit one statement, flushed to the disk. Raises StorageFailed where that is refused."""
        done: Future[None] = Future()
        self._queue.put(_Item(sql, [values], done, flush=True))
        done.result()

    def write_many(self, statement: Many, rows: Sequence[Row]) -> None:
        """Commit many rows together, flushed to the disk. Raises StorageFailed."""
        done: Future[None] = Future()
        self._queue.put(_Item(statement, rows, done, flush=True))
        done.result()

    def add(self, statement: Many, row: Row) -> "asyncio.Future[None]":
        """Queue a row; the future is done on the caller's loop once it is committed.

        The future raises StorageFailed where that is refused.
        """
        awaited = asyncio.get_running_loop().create_future()
        self._queue.put(_Item(statement, [row], awaited=awaited))
        return awaited

    def note(self, statement: Many, *rows: Row) -> None:
        """Queue rows that nobody waits for; they are committed in their order."""
        self._queue.put(_Item(statement, rows))

    def close(self) -> None:
        """Commit what is queued and close."""
        self._queue.put(None)
        self._writer.join()

    def _write_all(self) -> None:
        busy = ending = False
        while not ending:
            batch = [self._queue.get()]
            if busy:
                time.sleep(LINGER_SECONDS)  # more come meanwhile: one commit for them all
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            busy, ending = len(batch) > 1, None in batch
            self._write([item for item in batch if item is not None])

    def _write(self, items: list[_Item]) -> None:
        failed: JobPaused | None = None
        try:
            self._commit(list(_statements(items)), flush=any(item.flush for item in items))
        except JobPaused as error:
            failed = error
        except Exception as error:  # noqa: BLE001 - whatever it was, they wait for this thread alone
            failed = StorageFailed(
                f"the ledger can't be written: {error}: {self.remedy} and run the same command again"
            )
        _resolve(items, failed)


def _statements(items: Iterable[_Item]) -> Batch:
    """Yield the statements of a batch; rows of one kind that wait together go into one.

    Kinds keep the order in which they first came, but for notes, which come last.
    """
    waiting: dict[Many, list[Row]] = {}
    for item in items:
        if isinstance(item.statement, Many):
            waiting.setdefault(item.statement, []).extend(item.rows)
            continue
        yield from _grouped(waiting)
        waiting = {}
        yield item.statement, item.rows
    yield from _grouped(waiting)


def _grouped(waiting: dict[Many, list[Row]]) -> Batch:
    for statement, rows in sorted(waiting.items(), key=lambda item: item[0].is_note):
        if len({row[0] for row in rows}) == len(rows):
            yield from ((statement, some) for some in _large(rows, MOST_VALUES // len(statement.types)))
        else:
            yield from ((statement, some) for some in _runs(rows))


def _large(rows: Sequence[Row], most: int) -> Iterator[Sequence[Row]]:
    """Split rows into few statements of few sizes, as each is cached: BATCH times a power of two, and the rest."""
    start = 0
    while start < len(rows):
        size = BATCH
        while 2 * size <= min(most, len(rows) - start):
            size *= 2
        yield rows[start : start + size]
        start += size


def _runs(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Split rows so that no statement has two of the same name, as it isn't defined which of them would win."""
    run: list[Row] = []
    names: set[Value] = set()
    for row in rows:
        if len(run) == BATCH or row[0] in names:
            yield run
            run, names = [], set()
        run.append(row)
        names.add(row[0])
    if run:
        yield run


def _resolve(items: Iterable[_Item], failed: JobPaused | None) -> None:
    """Resolve the futures of a batch; each event loop is woken once per batch."""
    loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for item in items:
        if item.done is not None:
            item.done.set_exception(failed) if failed else item.done.set_result(None)
        if item.awaited is not None:
            loops.setdefault(item.awaited.get_loop(), []).append(item.awaited)
    for loop, futures in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            loop.call_soon_threadsafe(_tell, futures, failed)


def _tell(futures: Iterable["asyncio.Future[None]"], failed: JobPaused | None) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(failed) if failed else future.set_result(None)
