"""Files that are there whole or not at all."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from tasks.base.errors import StorageFailed


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Write beside `path`, flush to disk, and only then take its name.

    Raises StorageFailed where the disk is full or read-only; what was there stays.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(beside)
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise StorageFailed(
            f"{path} can't be written: {error.strerror or error}: free the disk and run the same command again"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
