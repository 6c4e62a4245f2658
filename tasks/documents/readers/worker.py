"""A process that reads files for its parent: `python -m tasks.documents.readers.worker FD`.

A question is a JSON list of a path and a kind; an answer a JSON list of a reason for a
failure ("" for none), a text or the failure's words, sections, whether they are code's, and
the parts that couldn't be read.
It ends when its parent does.
"""

import contextlib
import gc
import json
import resource
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from tasks.documents.document import Section, Unread
from tasks.documents.readers.kinds import Kind
from tasks.documents.readers.read import read
from tasks.errors import DocumentFailed

MOST_MEMORY = 4 * 1024**3


def main() -> None:
    """Answer until the parent has gone."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    # It looks through a deep document again and again while that is read: the cost would grow with its square.
    gc.disable()
    parent: Connection[bytes, bytes] = Connection(int(sys.argv[1]))
    with contextlib.suppress(EOFError, OSError):
        while True:
            path, kind = json.loads(parent.recv_bytes())
            parent.send_bytes(json.dumps(_answer(path, kind)).encode())
            gc.collect()


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
