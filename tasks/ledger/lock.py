"""One run a result set: the second says who holds it and leaves."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from tasks.errors import UserMistake


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold `folder`'s lock while the block runs; the system frees it when the process dies.

    Raises UserMistake naming the holder, or the folder where it can't be written.
    """
    lock = FileLock(folder / "lock", blocking=False)
    holder = folder / "holder.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        who = named(_read(holder))
        raise UserMistake(f"{folder.parent} is in use by {who}: wait for it, or give another --output") from None
    except OSError as error:
        raise UserMistake(f"{folder.parent} can't be written: {error.strerror}: give another --output") from error
    try:
        holder.write_text(me(), encoding="utf-8")
        yield
    finally:
        lock.release()


def me() -> str:
    """Return who this process is, for others to read."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})


def named(holder: str) -> str:
    """Return who a holder said it was."""
    try:
        who = json.loads(holder)
        return f"process {who['pid']} on {who['host']} since {who['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
