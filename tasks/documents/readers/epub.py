"""EPUB to text: its chapters in reading order (EPUB 3.3, package documents)."""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator

from tasks.base.errors import DocumentFailed
from tasks.documents.document import Content, Unread
from tasks.documents.headings import markdown_sections
from tasks.documents.readers.epub_package import Chapter, EpubPackage
from tasks.documents.readers.html.charset import decode_page
from tasks.documents.readers.markup import read_html

RIGHTS = "META-INF/rights.xml"
BETWEEN = "\n\n"
AGAIN = "download the book again"
LOCKED = "its seller has encrypted it: ask for a copy without protection"
# What XHTML may write as empty, and HTML takes for the beginning of what goes on to its end; and its raw text.
EMPTY = re.compile(
    r"<((?:title|script|style|textarea|iframe|noscript|xmp|noframes|select|option|a|div|span|p|td|th|tr|li|b|i|em|strong|sup|sub)\b[^<>]*)/>",
    re.IGNORECASE,
)
NAME = re.compile(r"\w+")
CDATA, CDATA_END = "<![CDATA[", "]]>"
Failures = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, KeyError, ValueError, OSError)


def read_epub(data: bytes) -> Content:
    """Return the chapters as Markdown, and which of them couldn't be read.

    Raises DocumentFailed with reason `damaged` or `encrypted` where none could.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        package = EpubPackage(archive)
        if RIGHTS in archive.namelist() and not package.has_encryption:
            raise DocumentFailed("encrypted", "this EPUB is protected by its seller: it can't be read")
        return _content(archive, package)


def _content(archive: zipfile.ZipFile, package: EpubPackage) -> Content:
    texts: list[str] = []
    unread: list[Unread] = []
    length = 0
    for number, chapter in enumerate(package.chapters(), 1):
        text, trouble = _read(archive, chapter, package)
        if trouble:
            unread.append(Unread(length, f"chapter {number} ({chapter.href})", trouble))
        elif text.strip():
            texts.append(text)
            length += len(text) + len(BETWEEN)
    if not texts and unread:
        locked = all(LOCKED in one.reason for one in unread)
        raise DocumentFailed("encrypted" if locked else "damaged", f"{unread[0].part} of this EPUB: {unread[0].reason}")
    if not texts and not package.found:
        raise DocumentFailed("damaged", f"this EPUB has no package document and no chapter: {AGAIN}")
    text = BETWEEN.join(texts)
    return Content(
        text, markdown_sections(text), unread=tuple(one._replace(start=min(one.start, len(text))) for one in unread)
    )


def _read(archive: zipfile.ZipFile, chapter: Chapter, package: EpubPackage) -> tuple[str, str]:
    """Return a chapter's text, or why it can't be read."""
    if chapter.path is None:
        return "", f"the book lacks it: {AGAIN}"
    if chapter.path in package.encrypted:
        return "", LOCKED
    try:
        page = archive.read(chapter.path)
    except Failures as error:
        return "", LOCKED if "encrypted" in str(error) else f"it is damaged ({error}): {AGAIN}"
    if b"<" not in page:
        return "", f"it is damaged (it holds no markup): {AGAIN}"
    try:
        return read_html(_as_html(page)), ""
    except DocumentFailed as error:
        return "", f"{error}: {AGAIN}"


def _as_html(page: bytes) -> str:
    """Return XHTML in the words of HTML: elements that are empty, and sections of characters."""
    text = EMPTY.sub(lambda found: f"<{found[1]}></{NAME.match(found[1])[0]}>", decode_page(page).text)  # type: ignore[index]
    return "".join(_without_sections(text)) if CDATA in text else text


def _without_sections(text: str) -> Iterator[str]:
    begin = 0
    while (start := text.find(CDATA, begin)) >= 0:
        yield text[begin:start]
        end = text.find(CDATA_END, start)
        end = len(text) if end < 0 else end
        yield text[start + len(CDATA) : end].replace("&", "&amp;").replace("<", "&lt;")
        begin = end + len(CDATA_END)
    yield text[begin:]
