"""Where what a result set remembers lies: its ledger, its lock, and a few notes beside them."""

import contextlib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from tasks.ledger.lock import hold


class State(Protocol):
    """The place of one result set's ledger, lock and notes; notes are small texts by name."""

    def hold(self) -> AbstractContextManager[None]:
        """Hold the result set while the block runs. Raises UserMistake naming who holds it."""
        ...

    def read(self, name: str) -> str:
        """Return a note, or "" where there is none or it can't be read."""
        ...

    def write(self, name: str, text: str) -> None:
        """Put a note in place of the one of that name. What can't be written is as it was."""
        ...

    def append(self, name: str, text: str) -> None:
        """Add to the end of a note. What can't be written is as it was."""
        ...


class LocalState:
    """A folder of this machine; it lies in its result set, or names the `place` of that."""

    def __init__(self, folder: Path, place: str | None = None) -> None:
        self.folder = folder
        self.place = place

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.folder / "ledger.sqlite"

    def hold(self) -> AbstractContextManager[None]:
        """Hold the folder's lock while the block runs; the system frees it when the process dies."""
        return hold(self.folder, self.place)

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
