"""A result set in a folder of this machine."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from tasks.base.errors import StorageFailed, UserMistake
from tasks.results.files import replace_file


class LocalFolder:
    """A folder: a file is replaced by writing a new one next to it, flushing it and renaming it."""

    def __init__(self, location: str, path: Path) -> None:
        self.location = location
        self.path = path

    @property
    def identity(self) -> str:
        """The path without links."""
        return str(self.path.resolve())

    def make(self, folders: Iterable[str]) -> None:
        """Make it with these folders inside. Raises UserMistake where it can't be written."""
        try:
            for name in ("", *folders):
                (self.path / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = (
                f"{self.location} can't be written: {error.strerror}: give another --output, or mend its permissions"
            )
            raise UserMistake(message) from error

    def parts(self, table: str) -> dict[str, int]:
        """Return the names of a table's parts in order, with their bytes. Raises StorageFailed."""
        try:
            found = {
                f"{table}/{entry.name}": entry.stat().st_size
                for entry in os.scandir(self.path / table)
                if entry.name.startswith("part-") and entry.name.endswith(".parquet")
            }
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise self._unreadable(table, error) from error
        return dict(sorted(found.items()))

    def read(self, name: str, start: int = 0) -> bytes | None:
        """Return a file's bytes from `start` on, or None where it isn't there. Raises StorageFailed."""
        try:
            with (self.path / name).open("rb") as file:
                file.seek(start)
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unreadable(name, error) from error

    def replace(self, name: str, write: Callable[[BinaryIO], None]) -> None:
        """Put what `write` writes in a file's place, whole or not at all. Raises StorageFailed."""
        replace_file(self.path / name, lambda beside: _filled(beside, write))

    def _unreadable(self, name: str, error: OSError) -> StorageFailed:
        fix = "mend it and run the same command again"
        return StorageFailed(f"{self.path / name} can't be read: {error.strerror or error}: {fix}")


def _filled(path: Path, write: Callable[[BinaryIO], None]) -> None:
    with path.open("wb") as file:
        write(file)
