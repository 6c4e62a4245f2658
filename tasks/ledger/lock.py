"""One run a result set: the second says who holds it and leaves."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from tasks.errors import InUse, UserMistake


@contextlib.contextmanager
def hold(folder: Path, place: str | None = None) -> Iterator[None]:
    """Hold `folder`'s lock while the block runs; the system frees it when the process dies.

    It locks the result set at `place`, or the one that the folder lies in. Raises
    UserMistake naming the holder, or the folder where it can't be written.
    """
    lock = FileLock(folder / "lock", blocking=False)
    holder = folder / "holder.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        who = named(_read(holder))
        raise in_use(place or str(folder.parent), who) from None
    except OSError as error:
        where, fix = (folder, "--state") if place else (folder.parent, "--output")
        raise UserMistake(f"{where} can't be written: {error.strerror}: give another {fix}") from error
    try:
        holder.write_text(me(), encoding="utf-8")
        yield
    finally:
        lock.release()


def in_use(place: str, who: str) -> InUse:
    """Return what the second run is told."""
    return InUse(f"{place} is in use by {who}: wait for it (--wait 1h), or give another --output")


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
