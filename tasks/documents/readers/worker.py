"""A process that reads files for its parent: `python -m tasks.documents.readers.worker FD`.

A question is a JSON list of a path and a kind; an answer a JSON list of a reason for a
failure ("" for none), a text or the failure's words, sections, whether they are code's, and
the parts that couldn't be read.
It ends when its parent does, whatever it is at.
"""

import contextlib
import fcntl
import gc
import json
import os
import resource
import select
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from tasks.base.errors import DocumentFailed
from tasks.documents.document import Section, Unread
from tasks.documents.readers.kinds import Kind
from tasks.documents.readers.read import read

MOST_MEMORY = 4 * 1024**3


def main() -> None:
    """Answer until the parent has gone."""
    _end_with(sys.stdin.fileno())
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    # It looks through a deep document again and again while that is read: the cost would grow with its square.
    gc.disable()
    parent: Connection[bytes, bytes] = Connection(int(sys.argv[1]))
    with contextlib.suppress(EOFError, OSError):
        while True:
            path, kind = json.loads(parent.recv_bytes())
            parent.send_bytes(json.dumps(_answer(path, kind)).encode())
            gc.collect()


def _end_with(pipe: int) -> None:
    """Have the system end this process once a pipe is closed at its other end.

    That is done by SIGIO, which isn't handled: a library that never returns to Python is ended, too.
    (A process may also be ended with its parent's thread, by `prctl`, but threads come and go here.)
    """
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([pipe], [], [], 0)[0]:  # it was closed before the system was told
        sys.exit()


def _answer(path: str, kind: Kind) -> tuple[str, str, Sequence[Section], bool, Sequence[Unread]]:
    try:
        content = read(Path(path).read_bytes(), kind, path)
    except DocumentFailed as error:
        return error.reason, str(error), (), False, ()
    except OSError as error:
        return "unreadable", f"the file can't be read: {error.strerror}", (), False, ()
    return "", content.text, content.sections, content.code, content.unread


if __name__ == "__main__":
    main()
