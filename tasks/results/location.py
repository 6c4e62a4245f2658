"""The location of a result set: a folder of this machine, or a path in a bucket, with the same guarantees.

A file is there whole or not at all, and can be read at any time; names are
relative, in POSIX form, as in `documents/part-000001.parquet`.
"""

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from tasks.base.errors import UserMistake
from tasks.documents.object_store import AZURE, SCHEMES, WEB
from tasks.results.bucket import RemoteFolder
from tasks.results.local_folder import LocalFolder

FILE = "file"


class Folder(Protocol):
    """What jobs need of a location; each method raises StorageFailed if that can't be reached, or refuses."""

    @property
    def location(self) -> str:
        """The location as it was named."""
        ...

    @property
    def path(self) -> Path | None:
        """Its path, where it is a folder of this machine."""
        ...

    @property
    def identity(self) -> str:
        """An identity that all spellings of a location share."""
        ...

    def make(self, folders: Iterable[str]) -> None:
        """Make it ready to be written to. Raises UserMistake where the user has something to mend."""
        ...

    def parts(self, table: str) -> dict[str, int]:
        """Return the names of a table's parts in order, with their bytes; none where there is no table."""
        ...

    def read(self, name: str, start: int = 0) -> bytes | None:
        """Return the bytes from `start` on of what has this name, or None where there is nothing."""
        ...

    def replace(self, name: str, write: Callable[[BinaryIO], None]) -> None:
        """Put what `write` writes in place of what has this name, in one step; where it fails, that stays."""
        ...


def named_place(location: str) -> str:
    """Return the name of a result set's location as it is kept. Raises UserMistake for one that can't be."""
    if not location.strip():
        raise UserMistake("--output is empty: name a folder, or a URL as in s3://bucket/folder")
    scheme, mark, rest = location.partition("://")
    if not mark:
        return location
    scheme = scheme.lower()
    user, at, _ = rest.partition("/")[0].rpartition("@")
    if "?" in rest or (at and (":" in user or scheme not in AZURE)):
        raise UserMistake(f"--output {scheme}://…: a key has no place in a URL: set it in the environment")
    if scheme != FILE and scheme not in SCHEMES.keys() - set(WEB):
        raise UserMistake(f"--output {location}: give a folder, or a URL that begins with s3://, gs:// or abfs://")
    if not rest.strip("/") or (scheme not in (FILE, "memory") and rest.startswith("/")):
        raise UserMistake(f"--output {location} names no bucket: give one as in {scheme}://bucket/folder")
    return f"{scheme}://{rest}"


def folder_at(location: str) -> Folder:
    """Return the location of a result set, by its path or URL; nothing is made or asked yet.

    Raises UserMistake where the package for such URLs isn't installed.
    """
    scheme, mark, _ = location.partition("://")
    if not mark:
        return LocalFolder(location, Path(location))
    if scheme == FILE:
        return LocalFolder(location, Path(unquote(urlsplit(location).path)))
    return _remote(location)


@functools.cache
def _remote(location: str) -> RemoteFolder:
    """Return the bucket at a URL, with one connection per location."""
    return RemoteFolder(location)
