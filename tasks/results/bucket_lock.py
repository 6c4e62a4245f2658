"""The lock of a result set in a bucket: an object that names the run that writes, renewed while the run lives.

Nothing frees it when its process dies, hence the renewal: a lock that hasn't been renewed for long, or
whose process on this host is gone, is taken over.
"""

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

from tasks.base.errors import StorageFailed
from tasks.ledger.lock import in_use, me, named

NAME = ".docmill/holder.json"
BEAT_SECONDS, DEAD_SECONDS = 20.0, 90.0
Clock = Callable[[], float]
# Tokens of this process's runs that hold a result set; a run that has ended but couldn't remove its object isn't here.
_HELD: set[str] = set()


class TakenOver(StorageFailed):
    """Another run holds the result set now: it was thought dead."""


class BucketObjects(Protocol):
    """What the holder needs of a bucket."""

    location: str

    def read(self, name: str) -> bytes | None:
        """Return an object, or None."""
        ...

    def create(self, name: str, data: bytes) -> bool:
        """Put an object where there is none."""
        ...

    def put(self, name: str, data: bytes) -> None:
        """Put an object."""
        ...

    def remove(self, name: str) -> None:
        """Remove an object."""
        ...


class BucketHolder:
    """This run's hold on a result set; `clock` gives seconds since 1970."""

    def __init__(self, folder: BucketObjects, clock: Clock = time.time) -> None:
        self.folder = folder
        self.clock = clock
        self._me: dict[str, Any] = {**json.loads(me()), "token": uuid.uuid4().hex}

    def take(self) -> None:
        """Take the result set, from a dead holder too. Raises UserMistake naming a live one."""
        for _ in range(2):
            if self.folder.create(NAME, self._beaten()):
                _HELD.add(self._me["token"])
                return
            held = self._held()
            if held is not None and not _is_dead(held, self.clock()):
                raise in_use(self.folder.location, named(json.dumps(held)))
            self.folder.remove(NAME)
        raise in_use(self.folder.location, "a run that began this very moment")

    def beat(self) -> None:
        """Renew the lock. Raises TakenOver, and StorageFailed."""
        held = self._held()
        if held is not None and held.get("token") != self._me["token"]:
            raise TakenOver(f"{self.folder.location} was taken over by {named(json.dumps(held))}: let that end first")
        self.folder.put(NAME, self._beaten())

    def leave(self) -> None:
        """Release the lock. Raises StorageFailed; the holder counts as dead in that case, too."""
        _HELD.discard(self._me["token"])
        held = self._held()
        if held is not None and held.get("token") == self._me["token"]:
            self.folder.remove(NAME)

    def _beaten(self) -> bytes:
        return json.dumps({**self._me, "beat": datetime.fromtimestamp(self.clock(), UTC).isoformat()}).encode()

    def _held(self) -> dict[str, Any] | None:
        """Return who holds the result set; {} where that can't be read, None where nobody does."""
        data = self.folder.read(NAME)
        if data is None:
            return None
        try:
            value = json.loads(data)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@contextlib.contextmanager
def held(folder: BucketObjects, lost: Callable[[StorageFailed], None], clock: Clock = time.time) -> Iterator[None]:
    """Hold a bucket's result set while the block runs; `lost` is called while another has taken it over.

    Raises UserMistake naming who holds it.
    """
    holder, ended = BucketHolder(folder, clock), threading.Event()
    holder.take()
    thread = threading.Thread(target=_beats, args=(holder, ended, lost), name="holder", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(StorageFailed):
            holder.leave()


def _beats(holder: BucketHolder, ended: threading.Event, lost: Callable[[StorageFailed], None]) -> None:
    while not ended.wait(BEAT_SECONDS):
        try:
            holder.beat()
        except TakenOver as error:
            lost(error)
        except StorageFailed:
            continue  # if the store stays out of reach, the job's own writes will fail


def _is_dead(held: dict[str, Any], now: float) -> bool:
    """Whether a holder has ended without releasing the lock; an unreadable one counts as ended."""
    try:
        beat = datetime.fromisoformat(held["beat"]).timestamp()
        ours = held["host"] == socket.gethostname()
        return now - beat > DEAD_SECONDS or (ours and not _runs(int(held["pid"]), held.get("token")))
    except (KeyError, TypeError, ValueError):
        return True


def _runs(pid: int, token: str | None) -> bool:
    """Whether a run on this host is still alive."""
    if pid == os.getpid():
        return token in _HELD
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
