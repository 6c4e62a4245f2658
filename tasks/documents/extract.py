"""From a document's bytes to its text."""

import os
import stat
import tempfile
from pathlib import Path

from tasks.base.errors import DocumentFailed
from tasks.documents.document import Content, Document, Remote
from tasks.documents.encodings.codepages import SAMPLE
from tasks.documents.object_store import fetch
from tasks.documents.readers.isolated import Stopped, readers
from tasks.documents.readers.kinds import kind_of
from tasks.documents.readers.text import read_text


def extract(document: Document, stopped: Stopped = lambda: False) -> Content:
    """Return what is in a document: a text exactly as it was written, another format's as its reader gives it.

    Lone surrogates, which no tokenizer or table takes, become U+FFFD one for one.

    Raises DocumentFailed with reason `unreadable`, `not_text` or `empty`, or one of a reader:
    `damaged`, `encrypted`, `no_text`, `too_large`, `timeout`, `crashed`; `stopped` where a
    reader was cut off because `stopped` said so; `damaged`, `no_text`, `no_id` or `duplicate_id` where the
    source knows that a row can't be read.
    """
    if document.trouble is not None:
        raise DocumentFailed(document.trouble_kind, document.trouble)
    content = _content(document, stopped)
    text = content.text
    if not text or text.isspace():
        raise DocumentFailed("empty", "the document holds no text")
    if text.isascii():
        return content
    return content._replace(text=text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _content(document: Document, stopped: Stopped) -> Content:
    if document.remote is not None:
        return _of_object(document, document.remote, stopped)
    if document.path is not None:
        return _of_file(document.path, _read(document.path), document.path, stopped)
    return Content(document.text or "")


def _of_object(document: Document, remote: Remote, stopped: Stopped) -> Content:
    """The readers of formats work on a path in processes of their own: they get a copy for as long as they need it."""
    data, name = fetch(remote, stopped), document.document_id
    if kind_of(data, name) is None:
        return read_text(data, name)
    with tempfile.TemporaryDirectory(prefix="docmill-") as folder:
        path = Path(folder, "object" + "".join(Path(name).suffixes[-2:]))
        path.write_bytes(data)
        return _of_file(str(path), data, name, stopped)


def _of_file(path: str, data: bytes, name: str, stopped: Stopped) -> Content:
    kind = kind_of(data, name)
    if kind is None:
        return read_text(data, name)
    try:
        return readers().read(path, kind, stopped)
    except DocumentFailed as error:
        if kind == "code" and error.reason in ("timeout", "crashed", "damaged"):
            return read_text(data, name)  # its definitions aren't known, but it is text all the same
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
