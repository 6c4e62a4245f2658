"""The SQLite file behind the ledger: one writing thread, group commits.

Write-ahead log: what was committed survives the process being killed at any
instant. A second thread flushes the log to the disk every second, so that a power
cut takes the last second at the most, and never damages the file
(https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_synchronous).

Rows of one kind that wait together are written by one statement: SQLite works
without Python's lock during a statement, and taking that lock back from a busy
event loop costs up to 5 ms each time.
"""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tasks.errors import StorageFailed
from tasks.ledger.schema import prepare

BATCH = 500
LINGER_SECONDS = 0.003
SYNC_SECONDS = 1.0

Value = str | int | float | bytes | None


@dataclass(frozen=True, slots=True)
class Many:
    """A statement over many rows: `head (?, …), (?, …) tail`."""

    head: str
    columns: int
    tail: str = ""
    # Of what waits together, notes about rows come after the rows.
    is_note: bool = False

    def sql(self, rows: int) -> str:
        """Return the statement for so many rows."""
        return _many(self, rows)


@cache
def _many(statement: Many, rows: int) -> str:
    row = "(" + ", ".join("?" * statement.columns) + ")"
    return f"{statement.head} {', '.join([row] * rows)} {statement.tail}"


@dataclass(slots=True)
class _Item:
    """Rows that wait to be committed, and who waits for them."""

    statement: Many | str
    rows: Sequence[Sequence[Value]]
    done: "Future[None] | None" = None
    awaited: "asyncio.Future[None] | None" = None
    flush: bool = False


class Store:
    """One SQLite file. Reads happen on the caller's thread, writes on the writer's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._reader, self._finder = _open(path), _open(path)
        self._reading = threading.Lock()
        self._dirty, self._closed = threading.Event(), threading.Event()
        self._log = os.open(f"{path}-wal", os.O_RDONLY)
        self._writer = threading.Thread(target=self._write_all, name="ledger", daemon=True)
        self._flusher = threading.Thread(target=self._flush_all, name="ledger-flush", daemon=True)
        self._writer.start()
        self._flusher.start()

    def read(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """Return all rows of a query, as of the last commit. Raises StorageFailed where the file is damaged."""
        with self._reading:
            return self._rows(self._reader, sql, values)

    def stream(self, sql: str) -> Iterator[tuple[Value, ...]]:
        """Yield the rows of a query that may be many, on a connection of its own. Raises StorageFailed."""
        try:
            with contextlib.closing(_open(self.path)) as connection:
                yield from connection.execute(sql)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self.doubt(error) from error

    def find(self, sql: str, values: Sequence[Value]) -> list[tuple[Value, ...]]:
        """Do as `read`, for the event loop's thread alone: it never waits for another reader."""
        return self._rows(self._finder, sql, values)

    def write(self, sql: str, values: Sequence[Value] = ()) -> None:
        """Commit one statement, flushed to the disk. Raises StorageFailed where the disk refuses."""
        done: Future[None] = Future()
        self._queue.put(_Item(sql, [values], done, flush=True))
        done.result()

    def write_many(self, statement: Many, rows: Sequence[Sequence[Value]]) -> None:
        """Commit many rows together, flushed to the disk. Raises StorageFailed."""
        done: Future[None] = Future()
        self._queue.put(_Item(statement, rows, done, flush=True))
        done.result()

    def add(self, statement: Many, row: Sequence[Value]) -> "asyncio.Future[None]":
        """Queue a row; the future is done on the caller's loop once it is committed.

        The future raises StorageFailed where the disk refuses.
        """
        awaited = asyncio.get_running_loop().create_future()
        self._queue.put(_Item(statement, [row], awaited=awaited))
        return awaited

    def note(self, statement: Many, *rows: Sequence[Value]) -> None:
        """Queue rows that nobody waits for; they are committed in their order."""
        self._queue.put(_Item(statement, rows))

    def doubt(self, why: object) -> StorageFailed:
        """Leave a mark, so that the next run looks through the whole file before it believes it; the error to raise."""
        with contextlib.suppress(OSError):
            doubt_mark(self.path).touch()
        return StorageFailed(
            f"the ledger {self.path} can't be read: {why}: run the same command again, it will be checked then"
        )

    def close(self) -> None:
        """Commit what is queued and close the file."""
        self._queue.put(None)
        self._writer.join()
        self._closed.set()
        self._dirty.set()
        self._flusher.join()
        os.close(self._log)
        for connection in (self._reader, self._finder):
            connection.close()

    def _rows(self, connection: sqlite3.Connection, sql: str, values: Sequence[Value]) -> list[tuple[Value, ...]]:
        try:
            return connection.execute(sql, values).fetchall()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self.doubt(error) from error

    def _write_all(self) -> None:
        connection = _open(self.path)
        busy = ending = False
        while not ending:
            batch = [self._queue.get()]
            if busy:
                time.sleep(LINGER_SECONDS)  # more come meanwhile: one commit for them all
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            busy, ending = len(batch) > 1, None in batch
            self._commit(connection, [item for item in batch if item is not None])
        connection.close()

    def _commit(self, connection: sqlite3.Connection, batch: list[_Item]) -> None:
        """Write a batch in one transaction: all of it is committed, or nothing."""
        failed: StorageFailed | None = None
        try:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                for sql, values in _statements(batch):
                    connection.execute(sql, values)
            self._dirty.set()
            if any(item.flush for item in batch):
                self._flush()
        except Exception as error:  # noqa: BLE001 - whatever it was, they wait for this thread alone
            message = f"the ledger can't be written: {error}: free the disk and run the same command again"
            failed = self.doubt(error) if type(error) is sqlite3.DatabaseError else StorageFailed(message)
        _resolve(batch, failed)

    def _flush_all(self) -> None:
        while self._dirty.wait() and not self._closed.is_set():
            self._dirty.clear()
            with contextlib.suppress(OSError):  # the writer meets it too, and says so
                self._flush()
            self._closed.wait(SYNC_SECONDS)

    def _flush(self) -> None:
        """Have the system put the write-ahead log on the disk."""
        os.fsync(self._log)


def _statements(batch: Iterable[_Item]) -> Iterable[tuple[str, Sequence[Value]]]:
    """Yield the statements of a batch; rows of one kind that wait together go into one.

    Kinds keep the order in which they first came, but for notes, which come last.
    """
    waiting: dict[Many, list[Sequence[Value]]] = {}
    for item in batch:
        if isinstance(item.statement, Many):
            waiting.setdefault(item.statement, []).extend(item.rows)
            continue
        yield from _grouped(waiting)
        waiting = {}
        yield from ((item.statement, row) for row in item.rows)
    yield from _grouped(waiting)


def _grouped(waiting: dict[Many, list[Sequence[Value]]]) -> Iterable[tuple[str, Sequence[Value]]]:
    for statement, rows in sorted(waiting.items(), key=lambda item: item[0].is_note):
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            yield statement.sql(len(some)), [value for row in some for value in row]


def _resolve(batch: Iterable[_Item], failed: StorageFailed | None) -> None:
    """Tell everybody who waits: each event loop is woken once a batch."""
    loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for item in batch:
        if item.done is not None:
            item.done.set_exception(failed) if failed else item.done.set_result(None)
        if item.awaited is not None:
            loops.setdefault(item.awaited.get_loop(), []).append(item.awaited)
    for loop, futures in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            loop.call_soon_threadsafe(_tell, futures, failed)


def _tell(futures: Iterable["asyncio.Future[None]"], failed: StorageFailed | None) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(failed) if failed else future.set_result(None)


def doubt_mark(path: Path) -> Path:
    """Return the path of the mark that a ledger is in doubt."""
    return path.with_name(path.name + ".doubt")


def _open(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, check_same_thread=False, timeout=30)
        prepare(connection)
    except sqlite3.DatabaseError as error:
        raise StorageFailed(f"the ledger {path} can't be opened: {error}: free the disk, or mend its folder") from error
    return connection
