"""A text for each name, changed by one process at a time, by which the jobs of an account share state.

As an SQLite file, it is shared by the processes of one machine; waiting for its lock ends after a
moment. It needn't survive a power cut, so a commit doesn't wait for the disk.
"""

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from tasks.base.errors import StorageFailed, UserMistake

T = TypeVar("T")
# Takes the text and the time, and returns the new text and the result of the change.
Change = Callable[[str, float], tuple[str, T]]

WAIT_SECONDS, LOOK_AGAIN_SECONDS = 1.0, 0.01
TABLE = "CREATE TABLE IF NOT EXISTS register (name text PRIMARY KEY, text text NOT NULL)"
FIND = "SELECT text FROM register WHERE name = ?"
PUT = "INSERT INTO register (name, text) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET text = excluded.text"


class Register(Protocol):
    """Where the texts are kept; it may be used by one thread at a time."""

    @property
    def name(self) -> str:
        """The name that messages use."""
        ...

    def change(self, name: str, change: Change[T]) -> T:
        """Replace a text, "" at first, by what `change` makes of it; return its result. Raises StorageFailed."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


class FileRegister:
    """An SQLite file; its time is this machine's monotonic clock, the same for all processes."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._clock = path, clock
        self._connection: sqlite3.Connection | None = None
        self._inode = 0

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self._path)

    def open(self) -> None:
        """Try it at the start of a run. Raises UserMistake where it can't be used."""
        try:
            self._connected()
        except (sqlite3.Error, OSError) as error:
            raise UserMistake(
                f"the shared limits in {self._path} can't be used: {error}: free or remove that file, "
                "or name another place in --share-limits"
            ) from error

    def change(self, name: str, change: Change[T]) -> T:
        """Change a text under the file's lock."""
        try:
            connection = self._connected()
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                found = connection.execute(FIND, (name,)).fetchone()
                text, result = change(found[0] if found else "", self._clock())
                connection.execute(PUT, (name, text))
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise StorageFailed(f"{self._path} can't be used: {error}") from error
        return result

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _connected(self) -> sqlite3.Connection:
        """Return a connection to the file that exists now, as a removed one is shared with no other process."""
        if self._connection is not None and self._inode == _inode(self._path):
            return self._connection
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _begin_wal(connection)
            connection.execute("PRAGMA synchronous = normal")
            connection.execute(TABLE)
        except sqlite3.Error:
            connection.close()
            raise
        self._connection, self._inode = connection, _inode(self._path)
        return connection


def _begin_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, for which SQLite needs exclusive access but doesn't wait by itself."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = wal")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(LOOK_AGAIN_SECONDS)
        else:
            return


def _inode(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_ino
    return -1
