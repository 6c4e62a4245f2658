"""Which format a file is in: by its content, and by its name only where the content can't tell."""

import re
import zipfile
from typing import Literal

from tasks.base.errors import DocumentFailed
from tasks.documents.readers.grammars import GRAMMARS
from tasks.documents.readers.package import Package

Kind = Literal["pdf", "docx", "pptx", "xlsx", "epub", "html", "mail", "gzip", "code"]

# Where a package doesn't tell its main part by a relationship, or by a type.
PARTS: dict[str, Kind] = {
    "word/document.xml": "docx",
    "ppt/presentation.xml": "pptx",
    "xl/workbook.xml": "xlsx",
    "META-INF/container.xml": "epub",
}
# Words of the content types of main parts: documents, templates, shows and add-ins, with macros or without.
BINARY_WORKBOOK = "sheet.binary"
OFFICE: dict[str, Kind] = {
    "wordprocessingml": "docx",
    "ms-word": "docx",
    "presentationml": "pptx",
    "ms-powerpoint": "pptx",
    "spreadsheetml": "xlsx",
    "ms-excel": "xlsx",
}
ROOT = re.compile(rb"<(?:[\w.-]+:)?(document|presentation|workbook)[\s/>]")
ROOTS: dict[bytes, Kind] = {b"document": "docx", b"presentation": "pptx", b"workbook": "xlsx"}
# By the beginning of a package's media type (OpenDocument 1.3, part 2, and what came before it).
MEDIA = {
    "vnd.oasis.opendocument.text": "an OpenDocument text (ODT): save it as DOCX",
    "vnd.oasis.opendocument.spreadsheet": "an OpenDocument spreadsheet (ODS): save it as XLSX",
    "vnd.oasis.opendocument.presentation": "an OpenDocument presentation (ODP): save it as PPTX",
    "vnd.oasis.opendocument.graphics": "an OpenDocument drawing (ODG): save it as PDF",
    "vnd.oasis.opendocument.chart": "an OpenDocument chart (ODC): save it as PDF",
    "vnd.oasis.opendocument.formula": "an OpenDocument formula (ODF): save it as PDF",
    "vnd.oasis.opendocument.base": "an OpenDocument database (ODB): save its tables as CSV",
    "vnd.oasis.opendocument.database": "an OpenDocument database (ODB): save its tables as CSV",
    "vnd.sun.xml.writer": "an OpenOffice 1 text (SXW): save it as DOCX",
    "vnd.sun.xml.calc": "an OpenOffice 1 spreadsheet (SXC): save it as XLSX",
    "vnd.sun.xml.impress": "an OpenOffice 1 presentation (SXI): save it as PPTX",
}
MANIFEST = re.compile(rb'media-type="(application/vnd\.(?:oasis|sun)[^"]*)"')
# By the last word of the type of a package's relationship to its main part.
OTHER_PACKAGES = {
    "fixedrepresentation": "an XPS document in a ZIP archive: save it as PDF",
    "document": "a Visio drawing (VSDX): save it as PDF",
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
    """Return what a package is: by its relationships and types, not by the names of its parts."""
    try:
        package = Package(data)
    # NotImplementedError is how zipfile says that a file asks for a newer ZIP version than it knows.
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise DocumentFailed("damaged", f"this ZIP or Office file is damaged: {error}: save it again") from error
    kind = _office(package) or _media(package) or next((PARTS[part] for part in PARTS if part in package), None)
    if kind is None and any(relation.kind == "officeDocument" for relation in package.relations().values()):
        raise DocumentFailed("damaged", "this Office file is damaged: it lacks its main part: save it again")
    if kind is None:
        raise DocumentFailed("not_text", f"this is {_other(package)}")
    return kind


def _office(package: Package) -> Kind | None:
    """Return the kind of an Office file, which its main part's type tells, or that part's root."""
    main = package.main()
    if main is None:
        return None
    type_ = package.content_type(main)
    if BINARY_WORKBOOK in type_ or main.lower().endswith("/workbook.bin"):
        raise DocumentFailed("not_text", "this is a binary Excel workbook (XLSB): save it as XLSX")
    told = next((OFFICE[word] for word in OFFICE if word in type_), None)
    root = ROOT.search(package.read(main, HEAD).data)
    return told or (ROOTS[root[1]] if root else None)


def _media(package: Package) -> Kind | None:
    """Return `epub` where the package says so; raises DocumentFailed for OpenDocument."""
    media = package.read("mimetype", HEAD).data.decode("latin-1").strip().lower()
    if not media.startswith("application/"):
        manifest = package.read("META-INF/manifest.xml", 64 * HEAD).data
        found = MANIFEST.search(manifest)
        media = found[1].decode("latin-1") if found else ""
    for start, words in MEDIA.items():
        if media.startswith(f"application/{start}"):
            raise DocumentFailed("not_text", f"this is {words}")
    return "epub" if media == "application/epub+zip" and "META-INF/container.xml" in package else None


def _other(package: Package) -> str:
    kinds = {relation.kind.lower() for relation in package.relations().values()}
    if "Index/Document.iwa" in package or "Index.zip" in package:
        return "an Apple Pages, Numbers or Keynote document: export it as DOCX, XLSX, PPTX or PDF"
    words = next((OTHER_PACKAGES[kind] for kind in OTHER_PACKAGES if kind in kinds), None)
    return words or "a ZIP archive: unpack it, and give the folder as INPUT"


def _marked_up(head: bytes, name: str) -> Kind | None:
    if name.endswith((".html", ".htm", ".xhtml")) or head.startswith((b"<!doctype html", b"<html")):
        return "html"
    first = head.split(b"\n", 1)[0]
    if name.endswith((".eml", ".mht", ".mhtml", ".mbox")) or first.startswith(MAIL_HEADERS):
        return "mail"
    # Qt's translations end with .ts, too.
    return "code" if name.endswith(CODE_SUFFIXES) and not head.startswith(b"<?xml") else None
