"""From a document's bytes to its text."""

import os
import stat
from dataclasses import replace

from tasks.documents.decode import SAMPLE
from tasks.documents.document import Content, Document
from tasks.documents.readers.isolated import Stopped, readers
from tasks.documents.readers.kinds import kind_of
from tasks.documents.readers.text import read_text
from tasks.errors import DocumentFailed


def extract(document: Document, stopped: Stopped = lambda: False) -> Content:
    """Return what is in a document: a text exactly as it was written, another format's as its reader gives it.

    Lone surrogates, which no tokenizer or table takes, become U+FFFD one for one.

    Raises DocumentFailed with reason `unreadable`, `not_text` or `empty`, or one of a reader:
    `damaged`, `encrypted`, `no_text`, `too_large`, `timeout`, `crashed`; `stopped` where a
    reader was cut off because `stopped` said so.
    """
    content = Content(document.text or "") if document.path is None else _of_file(document.path, stopped)
    text = content.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if not text.strip():
        raise DocumentFailed("empty", "the document holds no text")
    return replace(content, text=text)


def _of_file(path: str, stopped: Stopped) -> Content:
    data = _read(path)
    kind = kind_of(data, path)
    if kind is None:
        return read_text(data, path)
    try:
        return readers().read(path, kind, stopped)
    except DocumentFailed as error:
        if kind == "code" and error.reason in ("timeout", "crashed", "damaged"):
            return read_text(data, path)  # its definitions aren't known, but it is text all the same
        raise


def _read(path: str) -> bytes:
    try:
        # Opening a pipe to read would wait for a writer, were it not for O_NONBLOCK.
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            status = os.fstat(number)
            if not stat.S_ISREG(status.st_mode):
                raise DocumentFailed("unreadable", "this is a pipe, socket or device, not a file: leave it out")
            return _whole(number, status.st_size)
        finally:
            os.close(number)
    except OSError as error:
        message = f"the file can't be read: {error.strerror}: check its permissions, or leave it out"
        raise DocumentFailed("unreadable", message) from error


def _whole(number: int, size: int) -> bytes:
    """Read to the end: a file may grow, and a read may return less than was asked for."""
    parts = [os.read(number, max(size + 1, SAMPLE))]
    while parts[-1] and sum(map(len, parts)) != size:
        parts.append(os.read(number, max(size + 1, SAMPLE)))
    return b"".join(parts)
