"""The SQLite file behind the ledger.

Write-ahead log: what was committed survives the process being killed at any
instant. A second thread flushes the log to the disk every second, so that a power
cut takes the last second at the most, and never damages the file
(https://sqlite.org/wal.html, https://sqlite.org/pragma.html#pragma_synchronous).
"""

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from tasks.base.errors import StorageFailed
from tasks.ledger.lock import locked
from tasks.ledger.query import Sql, in_sqlite
from tasks.ledger.store import Asked, Batch, Many, Store, Value
from tasks.ledger.tables import prepare

SYNC_SECONDS = 1.0


class SqliteStore(Store):
    """One SQLite file; `parts` is the file that keeps the processes apart which share it."""

    remedy = "free the disk"

    def __init__(self, path: Path, parts: Path | None = None) -> None:
        super().__init__()
        self.path = path
        self._reader, self._finder, self._connection = _open(path), _open(path), _open(path)
        self._reading = threading.Lock()
        self._dirty, self._closed = threading.Event(), threading.Event()
        self._log = os.open(f"{path}-wal", os.O_RDONLY)
        self._parts = parts
        self._flusher = threading.Thread(target=self._flush_all, name="ledger-flush", daemon=True)
        self._writer.start()
        self._flusher.start()

    def read(self, sql: Sql, values: Asked = ()) -> list[tuple[Value, ...]]:
        """Return all rows of a query; where the file is damaged, the ledger is in doubt."""
        with self._reading:
            return self._rows(self._reader, sql, values)

    def stream(self, sql: Sql) -> Iterator[tuple[Value, ...]]:
        """Yield the rows of a query."""
        try:
            with contextlib.closing(_open(self.path)) as connection:
                yield from connection.execute(in_sqlite(sql))
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self.doubt(error) from error

    def find(self, sql: Sql, values: Asked) -> list[tuple[Value, ...]]:
        """Do as `read`, on the event loop's own connection."""
        return self._rows(self._finder, sql, values)

    def alone(self, part: int) -> contextlib.AbstractContextManager[None]:
        """Lock a part's byte of a file: the system frees it when the process dies."""
        return locked(self._parts, part) if self._parts else contextlib.nullcontext()

    def doubt(self, why: object) -> StorageFailed:
        """Leave a mark that makes the next run check the whole file; return the error to raise."""
        with contextlib.suppress(OSError):
            doubt_mark(self.path).touch()
        return StorageFailed(
            f"the ledger {self.path} can't be read: {why}: run the same command again, it will be checked then"
        )

    def close(self) -> None:
        """Commit what is queued and close the file; a second time does nothing."""
        if self._closed.is_set():
            return
        super().close()
        self._closed.set()
        self._dirty.set()
        self._flusher.join()
        os.close(self._log)
        for connection in (self._connection, self._reader, self._finder):
            connection.close()

    def _rows(self, connection: sqlite3.Connection, sql: Sql, values: Asked) -> list[tuple[Value, ...]]:
        try:
            return rows(connection, sql, values)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self.doubt(error) from error

    def _commit(self, batch: Batch, *, flush: bool) -> None:
        try:
            with self._connection as connection:
                connection.execute("BEGIN IMMEDIATE")
                for statement, rows in batch:
                    sql = statement.in_sqlite(len(rows)) if isinstance(statement, Many) else in_sqlite(statement)
                    connection.execute(sql, [value for row in rows for value in row])
        except sqlite3.DatabaseError as error:
            if type(error) is sqlite3.DatabaseError:
                raise self.doubt(error) from error
            raise
        self._dirty.set()
        if flush:
            self._flush()

    def _flush_all(self) -> None:
        while self._dirty.wait() and not self._closed.is_set():
            self._dirty.clear()
            with contextlib.suppress(OSError):  # the writer meets it too, and says so
                self._flush()
            self._closed.wait(SYNC_SECONDS)

    def _flush(self) -> None:
        """Have the system put the write-ahead log on the disk."""
        os.fsync(self._log)


def rows(connection: sqlite3.Connection, sql: Sql, values: Asked) -> list[tuple[Value, ...]]:
    """Return all rows of a query; SQLite takes many names as JSON."""
    asked = [json.dumps(one) if isinstance(one, list) else one for one in values]
    return connection.execute(in_sqlite(sql), asked).fetchall()


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
