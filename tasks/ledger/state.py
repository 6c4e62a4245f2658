"""The state of a result set: its ledger, its lock, and a few notes."""

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from tasks.ledger.ledger import Ledger
from tasks.ledger.lock import hold, working
from tasks.ledger.query import Sql
from tasks.ledger.sqlite import SqliteStore, doubt_mark, rows
from tasks.ledger.store import Asked, Value
from tasks.ledger.tables import set_aside_if_unsound

PARTS = "parts.lock"


class State(Protocol):
    """The place of one result set's ledger, lock and notes; notes are small texts by name."""

    @property
    def name(self) -> str:
        """Where it lies, for people to read; no secret is in it."""
        ...

    def hold(self) -> AbstractContextManager[None]:
        """Hold the result set while the block runs. Raises UserMistake naming who holds it."""
        ...

    def open(self, *, fresh: bool = False) -> Ledger:
        """Open the ledger, while the result set is held; `fresh` as the ledger has it. Raises StorageFailed."""
        ...

    def join(self, *, fresh: bool = False) -> AbstractContextManager[Ledger]:
        """Open the ledger for the block as a worker of the run that holds the result set. Raises StorageFailed."""
        ...

    def peek(self, sql: Sql, values: Asked) -> list[tuple[Value, ...]]:
        """Return what a query of the ledger gives, nothing where there is none; nothing is made or changed."""
        ...

    def read(self, name: str) -> str:
        """Return a note, or "" where there is none or it can't be read."""
        ...

    def write(self, name: str, text: str) -> None:
        """Write a note, replacing one of that name. If it can't be written, the old one stays."""
        ...

    def append(self, name: str, text: str) -> None:
        """Append to a note. If that can't be written, the note stays as it was."""
        ...


class LocalState:
    """A folder of this machine; it lies in its result set, or names the `place` of that."""

    def __init__(self, folder: Path, place: str | None = None) -> None:
        self.folder = folder
        self.place = place
        self._ledger = folder / "ledger.sqlite"

    @property
    def name(self) -> str:
        """The folder's path."""
        return str(self.folder)

    def hold(self) -> AbstractContextManager[None]:
        """Hold the folder's lock while the block runs; the system frees it when the process dies."""
        return hold(self.folder, self.place)

    def open(self, *, fresh: bool = False) -> Ledger:
        """Open the ledger's file; one that isn't sound is set aside. Raises StorageFailed, UserMistake."""
        return local_ledger(self._ledger, fresh=fresh)

    @contextlib.contextmanager
    def join(self, *, fresh: bool = False) -> Iterator[Ledger]:
        """Open the file that the run has made; the next run waits until all its workers have closed it."""
        with working(self.folder):
            ledger = Ledger(SqliteStore(self._ledger, self.folder / PARTS), fresh=fresh)
            with contextlib.closing(ledger):
                yield ledger

    def peek(self, sql: Sql, values: Asked) -> list[tuple[Value, ...]]:
        """Query the file; one that isn't sound gives no rows."""
        if not self._ledger.is_file():
            return []
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(f"file:{self._ledger}?mode=ro", uri=True)) as file,
        ):
            return rows(file, sql, values)
        return []

    def read(self, name: str) -> str:
        """Return the text of a file, or ""."""
        with contextlib.suppress(OSError):
            return (self.folder / name).read_text(encoding="utf-8", errors="replace")
        return ""

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        with contextlib.suppress(OSError):
            (self.folder / name).write_text(text, encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        """Write at the end of a file."""
        with contextlib.suppress(OSError), (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(text)


def local_ledger(path: Path, *, fresh: bool = False) -> Ledger:
    """Open a ledger's file; one that is damaged or of another version is set aside, and the ledger's notice says so."""
    notice = set_aside_if_unsound(path, doubt_mark(path))
    return Ledger(SqliteStore(path), fresh=fresh, notice=notice)
