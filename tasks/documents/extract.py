"""From a document's bytes to its text."""

import codecs
import os
import stat

from charset_normalizer import from_bytes

from tasks.documents.document import Document
from tasks.errors import DocumentFailed

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MAGIC = {
    b"%PDF-": "PDF",
    b"PK\x03\x04": "ZIP (DOCX, EPUB, XLSX …)",
    b"\x1f\x8b": "gzip",
    b"\x89PNG": "PNG image",
    b"\xff\xd8\xff": "JPEG image",
    b"PAR1": "Parquet",
}
SAMPLE = 64 * 1024


def extract(document: Document) -> str:
    """Return the text of a document, exactly as it was written.

    Lone surrogates, which no tokenizer or table takes, become U+FFFD one for one.

    Raises DocumentFailed with reason `unreadable`, `not_text` or `empty`.
    """
    text = document.text if document.path is None else decode(_read(document.path))
    text = (text or "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if not text.strip():
        raise DocumentFailed("empty", "the document holds no text")
    return text


def decode(data: bytes) -> str:
    """Decode text of any encoding: by its mark, as UTF-8, or by detection.

    Raises DocumentFailed with reason `not_text` where it isn't text, naming the
    format if it is a known one.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return _strictly(data, encoding)
    for magic, name in MAGIC.items():
        if data.startswith(magic):
            raise DocumentFailed("not_text", f"this is {name}, not text: convert it to text first")
    if b"\0" in data[:SAMPLE]:
        raise DocumentFailed("not_text", "this is a binary file, not text: leave it out or convert it")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _detected(data)


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


def _strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DocumentFailed("not_text", f"the file is marked as {encoding} but isn't: {error.reason}") from error


def _detected(data: bytes) -> str:
    """Detect by the whole file where it is small, else by its first lines; then decode it all.

    The sample ends with a line: elsewhere it might end inside a character.
    """
    head = data[: 4 * SAMPLE]
    if len(head) < len(data) and b"\n" in head:
        head = head[: head.rfind(b"\n") + 1]
    best = from_bytes(head).best()
    if best is None:
        raise DocumentFailed("not_text", "no known text encoding fits: convert the file to UTF-8")
    return _strictly(data, best.encoding)
