"""One run per result set: a second one reports the holder and ends. A run's workers share its lock."""

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from tasks.base.errors import InUse, StorageFailed, UserMistake

WORKERS = "workers.lock"
# How long a killed run's workers may take to record answers to the calls they have sent.
WORKERS_SECONDS, LOOK_AGAIN_SECONDS = 20.0, 0.1


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
        _await_workers(folder)
        holder.write_text(me(), encoding="utf-8")
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def working(folder: Path) -> Iterator[None]:
    """Be one of the workers of the run that holds `folder`, for the block: the next run waits until all have left."""
    with (folder / WORKERS).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def _await_workers(folder: Path) -> None:
    """Wait for the workers of a run that was killed. Raises InUse where they don't leave."""
    deadline = time.monotonic() + WORKERS_SECONDS
    with (folder / WORKERS).open("ab") as file:
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if time.monotonic() > deadline:
                raise in_use(str(folder.parent), "workers of a run that has ended")
            time.sleep(LOOK_AGAIN_SECONDS)


@contextlib.contextmanager
def locked(path: Path, number: int) -> Iterator[None]:
    """Lock byte `number` of a file against other processes for the block. Raises StorageFailed.

    One thread at a time: a process that closes a file frees all that it has locked there.
    """
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(path.open("ab"))
            fcntl.lockf(file, fcntl.LOCK_EX, 1, number)
        except OSError as error:
            raise StorageFailed(f"{path} can't be locked: {error.strerror}: mend its folder") from error
        yield


def in_use(place: str, who: str) -> InUse:
    """Return the error for a second run."""
    return InUse(f"{place} is in use by {who}: wait for it (--wait 1h), or give another --output")


def me() -> str:
    """Return a description of this process as JSON, for other processes."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since})


def named(holder: str) -> str:
    """Return a holder's description in words."""
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
