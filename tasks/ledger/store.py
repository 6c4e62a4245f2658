"""The SQLite file behind the ledger: one writing thread, group commits.

Write-ahead log with synchronous=NORMAL: what was committed survives the process
being killed at any instant. A power cut may lose the last commits before a
checkpoint, never damage the file (sqlite.org/pragma.html#pragma_synchronous).
"""

import contextlib
import queue
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from tasks.errors import StorageFailed, UserMistake

VERSION = 1
BATCH = 1000
SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    job_id TEXT PRIMARY KEY, work TEXT NOT NULL, status TEXT NOT NULL, started_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS answers (
    call_id TEXT PRIMARY KEY, job_id TEXT NOT NULL, document_id TEXT NOT NULL, provider TEXT NOT NULL,
    model TEXT NOT NULL, status INTEGER NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL,
    attempts INTEGER NOT NULL, latency_ms INTEGER NOT NULL, cost_usd REAL, created_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
    document_id TEXT PRIMARY KEY, job_id TEXT NOT NULL, work TEXT NOT NULL, content_sha256 TEXT,
    status TEXT NOT NULL, part INTEGER NOT NULL, calls INTEGER NOT NULL DEFAULT 0,
    reused_calls INTEGER NOT NULL DEFAULT 0, prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0, cost_usd REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS documents_of_job ON documents (job_id, status);
CREATE INDEX IF NOT EXISTS answers_of_job ON answers (job_id);
"""

Value = str | int | float | bytes | None
Statement = tuple[str, Sequence[Value]]
_Item = tuple[Sequence[Statement], "Future[None]"]


class Store:
    """One SQLite file. Reads happen on the caller's thread, writes on the writer's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._reader = _open(path)
        self._reading = threading.Lock()
        self._thread = threading.Thread(target=self._write_all, name="ledger", daemon=True)
        self._thread.start()

    def read(self, sql: str, values: Sequence[Value] = ()) -> list[tuple[Value, ...]]:
        """Return all rows of a query, as of the last commit."""
        with self._reading:
            return self._reader.execute(sql, values).fetchall()

    def write(self, *statements: Statement) -> "Future[None]":
        """Queue statements that are committed together; the future is done once they are.

        The future raises StorageFailed where the disk refuses.
        """
        done: Future[None] = Future()
        self._queue.put((statements, done))
        return done

    def close(self) -> None:
        """Commit what is queued and close the file."""
        self._queue.put(None)
        self._thread.join()
        self._reader.close()

    def _write_all(self) -> None:
        connection = _open(self.path)
        ending = False
        while not ending:
            batch = [self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get())
            ending = None in batch
            _commit(connection, [item for item in batch if item is not None])
        connection.close()


def _commit(connection: sqlite3.Connection, batch: list[_Item]) -> None:
    """Write a batch in one transaction: all its futures are done, or all fail."""
    try:
        with connection:
            for statements, _ in batch:
                for sql, values in statements:
                    connection.execute(sql, values)
    except sqlite3.Error as error:
        failed = StorageFailed(f"the ledger can't be written: {error}: free the disk and run the same command again")
        for _, done in batch:
            done.set_exception(failed)
        return
    for _, done in batch:
        done.set_result(None)


def _open(path: Path) -> sqlite3.Connection:
    """Open the file, made ready; raises UserMistake where it isn't a ledger of this version."""
    with contextlib.ExitStack() as undo:
        try:
            connection = sqlite3.connect(path, check_same_thread=False, timeout=30)
            undo.callback(connection.close)
            _prepare(connection, path)
        except sqlite3.DatabaseError as error:
            fix = "move it aside, or use another --output"
            raise UserMistake(f"{path}: the ledger can't be opened: {error}: {fix}") from error
        undo.pop_all()
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found not in (0, VERSION):
        fix = "use another --output, or the docmill that made it"
        raise UserMistake(f"{path}: a ledger of version {found}, not {VERSION}: {fix}")
    connection.executescript(SCHEMA)
    connection.execute(f"PRAGMA user_version={VERSION}")
    connection.commit()
