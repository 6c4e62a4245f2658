"""Readers of formats in processes of their own: one that hangs or crashes takes only its file with it.

They get no environment, and so no keys, and a session of their own: Ctrl-C is their parent's
business, which cuts them off once its job is stopped. Their standard input is a pipe that nobody
writes to: it closes when the parent ends, however that happens.
"""

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path

from tasks.base.errors import DocumentFailed
from tasks.documents.document import Content, Section, Unread
from tasks.documents.readers.kinds import Kind

SECONDS = 120.0
LOOK_AGAIN = 0.25
# A new process now and then: readers leave memory behind.
FILES_A_PROCESS = 500
ROOT = Path(__file__).parents[3]

Stopped = Callable[[], bool]
Reply = tuple[str, str, list[tuple[int, int, str]], bool, list[tuple[int, str, str]]]


class Readers:
    """Up to `processes` processes, started when they are needed; usable from any thread."""

    def __init__(self, processes: int, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._places = threading.Semaphore(processes)
        self._idle: list[_Process] = []

    def read(self, path: str, kind: Kind, stopped: Stopped = lambda: False) -> Content:
        """Return what is in a file, unless `stopped` says meanwhile that nobody wants it any more.

        Raises DocumentFailed, with reason `timeout`, `crashed` or `stopped` among others.
        """
        with self._places:
            process = self._taken() or _Process()
            try:
                reason, text, sections, code, unread = process.ask(path, kind, self._seconds, stopped)
            except BaseException:
                process.kill()
                raise
            if process.answered < FILES_A_PROCESS:
                self._idle.append(process)
            else:
                process.kill()
        if reason:
            raise DocumentFailed(reason, text)
        return Content(
            text, tuple(Section(*section) for section in sections), code, tuple(Unread(*part) for part in unread)
        )

    def _taken(self) -> "_Process | None":
        with contextlib.suppress(IndexError):  # asked by several threads at once
            while True:
                process = self._idle.pop()
                if process.is_alive:
                    return process
                process.kill()  # somebody else ended it meanwhile, as the system does without memory
        return None

    def close(self) -> None:
        """End the processes that have nothing to do."""
        while process := self._taken():
            process.kill()


@lru_cache(maxsize=1)
def readers() -> Readers:
    """Return those that all documents of this process share, one a processor."""
    shared = Readers(os.cpu_count() or 1)
    atexit.register(shared.close)
    return shared


class _Process:
    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "tasks.documents.readers.worker", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env={"PYTHONPATH": str(ROOT)},
            )
        self._connection: Connection[bytes, bytes] = Connection(ours.detach())
        self.answered = 0

    def ask(self, path: str, kind: Kind, seconds: float, stopped: Stopped) -> Reply:
        """Return the answer to one question, as `worker.py` describes it."""
        try:
            self._connection.send_bytes(json.dumps([path, kind]).encode())
            deadline = time.monotonic() + seconds
            while not self._connection.poll(min(LOOK_AGAIN, seconds)):
                if stopped():
                    raise DocumentFailed("stopped", f"the job was stopped while this {kind} file was read")
                if time.monotonic() > deadline:
                    raise DocumentFailed(
                        "timeout", f"reading this {kind} file takes more than {seconds:.0f} s: split it"
                    )
            reply: Reply = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError) as error:
            message = f"the reader of {kind} files crashed over this one: save it again, or leave it out"
            raise DocumentFailed("crashed", message) from error
        self.answered += 1
        return reply

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._connection.close()
