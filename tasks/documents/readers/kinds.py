"""Which format a file is in: by its content, and by its name only where the content can't tell."""

import io
import zipfile
from typing import Literal

from tasks.documents.readers.grammars import GRAMMARS
from tasks.errors import DocumentFailed

Kind = Literal["pdf", "docx", "pptx", "xlsx", "epub", "html", "mail", "gzip", "code"]

PARTS: dict[str, Kind] = {
    "word/document.xml": "docx",
    "ppt/presentation.xml": "pptx",
    "xl/workbook.xml": "xlsx",
    "META-INF/container.xml": "epub",
}
UNREADABLE = {
    b"\xd0\xcf\x11\xe0": "an old or encrypted Office file: save it as DOCX, XLSX or PPTX, without a password",
    b"\x89PNG": "a PNG image: run text recognition (OCR) over it first",
    b"\xff\xd8\xff": "a JPEG image: run text recognition (OCR) over it first",
    b"PAR1": "a Parquet table: give it as INPUT itself, with --text-column",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"{\\rtf": "RTF: save it as DOCX",
}
CODE_SUFFIXES = tuple(suffix for suffixes in GRAMMARS.values() for suffix in suffixes)
HEAD = 1024
MAIL_HEADERS = (b"received:", b"return-path:", b"delivered-to:", b"mime-version:", b"message-id:")


def kind_of(data: bytes, name: str) -> Kind | None:
    """Return the format of a file, or None for text (Markdown and mark-up to be kept are text).

    Raises DocumentFailed with reason `not_text` for what has no reader, and `damaged`.
    """
    for magic, words in UNREADABLE.items():
        if data.startswith(magic):
            raise DocumentFailed("not_text", f"this is {words}")
    if data.startswith(b"%PDF-") or (b"%PDF-" in data[:HEAD] and name.lower().endswith(".pdf")):
        return "pdf"
    if data.startswith(b"\x1f\x8b"):
        return "gzip"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(data)
    return _marked_up(data[:HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").lower(), name.lower())


def _zipped(data: bytes) -> Kind:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    # NotImplementedError is how zipfile says that a file asks for a newer ZIP version than it knows.
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise DocumentFailed("damaged", f"this ZIP or Office file is damaged: {error}: save it again") from error
    for part, kind in PARTS.items():
        if part in names:
            return kind
    raise DocumentFailed("not_text", "this is a ZIP archive: unpack it, and give the folder as INPUT")


def _marked_up(head: bytes, name: str) -> Kind | None:
    if name.endswith((".html", ".htm", ".xhtml")) or head.startswith((b"<!doctype html", b"<html")):
        return "html"
    first = head.split(b"\n", 1)[0]
    if name.endswith((".eml", ".mht")) or first.startswith(MAIL_HEADERS):
        return "mail"
    # Qt's translations end with .ts, too.
    return "code" if name.endswith(CODE_SUFFIXES) and not head.startswith(b"<?xml") else None
