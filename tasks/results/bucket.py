"""A result set in a bucket: each object is put as a whole, in one step.

A store shows an object once all of it has arrived. What is to be written is made in
memory first and sent by `pipe_file`: a file opened for writing would be committed
half full where an error leaves its block.
"""

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from tasks.base.errors import StorageFailed, StorageRefused, UserMistake
from tasks.documents.object_store import ObjectStore, opened, said

# Beside the results, so that nobody takes them for documents.
MARK = ".docmill/results"
# By name: the stores' clients are there only where they are used.
KEYLESS = {"NoCredentialsError", "PartialCredentialsError", "DefaultCredentialsError", "ClientAuthenticationError"}


class RemoteFolder:
    """A location in a bucket, by its URL; names in it are keys below the URL's path."""

    path = None

    def __init__(self, location: str) -> None:
        self.location = location.rstrip("/")
        store = _opened(self.location)
        self._files, self._root = store.system, str(store.path).rstrip("/")

    @property
    def identity(self) -> str:
        """The URL."""
        return self.location

    def make(self, folders: Iterable[str]) -> None:  # noqa: ARG002 - a bucket has none
        """Mark it as a result set. Raises StorageFailed; StorageRefused where the user has something to mend."""
        if self.read(MARK) is None:
            self.put(MARK, b"A result set of Docmill.\n")

    def parts(self, table: str) -> dict[str, int]:
        """Return the names of a table's parts in order, with their bytes. Raises StorageFailed."""
        with self._trying(table, "listed"):
            try:
                found = self._files.ls(self._key(table), detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return {}
        sizes = {str(one["name"]).rsplit("/", 1)[-1]: int(one["size"] or 0) for one in found if one["type"] == "file"}
        names = sorted(name for name in sizes if name.startswith("part-") and name.endswith(".parquet"))
        return {f"{table}/{name}": sizes[name] for name in names}

    def read(self, name: str, start: int = 0) -> bytes | None:
        """Return an object's bytes from `start` on, or None where it isn't there. Raises StorageFailed."""
        with self._trying(name, "read"):
            try:
                return bytes(self._files.cat_file(self._key(name), start=start or None))
            except (FileNotFoundError, NotADirectoryError):
                return None

    def replace(self, name: str, write: Callable[[BinaryIO], None]) -> None:
        """Put what `write` writes in an object's place, whole or not at all. Raises StorageFailed."""
        made = io.BytesIO()
        write(made)
        self.put(name, made.getvalue())

    def put(self, name: str, data: bytes) -> None:
        """Put an object, whole or not at all. Raises StorageFailed."""
        with self._trying(name, "written"):
            self._files.pipe_file(self._key(name), data)

    def create(self, name: str, data: bytes) -> bool:
        """Put an object where there is none; whether it was so. Raises StorageFailed."""
        with self._trying(name, "written"):
            try:
                self._files.pipe_file(self._key(name), data, mode="create")
            except FileExistsError:
                return False
        return True

    def remove(self, name: str) -> None:
        """Remove an object, if it is there. Raises StorageFailed."""
        with self._trying(name, "removed"), contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextlib.contextmanager
    def _trying(self, name: str, verb: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            raise _failed(f"{self.location}/{name} can't be {verb}", error) from error


def _opened(location: str) -> ObjectStore:
    """Open a location. Raises UserMistake, StorageRefused or StorageFailed."""
    try:
        return opened(location)
    except ValueError as error:
        raise UserMistake(f"{location} can't be opened: {said(error)}: set what it needs in the environment") from error
    except UserMistake:
        raise
    except Exception as error:
        raise _failed(f"{location} can't be opened", error) from error


def _failed(what: str, error: Exception) -> StorageFailed:
    """Return an error of ours with one line of what failed and the fix, without secrets."""
    if type(error).__name__ in KEYLESS:
        return StorageRefused(f"{what}: it has no keys: set them in the environment")
    if isinstance(error, PermissionError):
        return StorageRefused(f"{what}: {said(error)}: mend the keys or their permissions, or give another --output")
    if isinstance(error, FileNotFoundError):
        return StorageRefused(f"{what}: there is no such bucket: make it, or give another --output")
    return StorageFailed(f"{what}: {said(error)}: mend that and run the same command again")
