"""EPUB to text: its chapters in reading order (EPUB 3.3, package documents)."""

import io
import posixpath
import urllib.parse
import zipfile
from collections.abc import Iterator
from typing import Any

from lxml import etree

from tasks.documents.readers.markup import read_html
from tasks.errors import DocumentFailed

CONTAINER, RIGHTS = "META-INF/container.xml", "META-INF/rights.xml"


def read_epub(data: bytes) -> str:
    """Return the chapters as Markdown. Raises DocumentFailed with reason `damaged` or `encrypted`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if RIGHTS in archive.namelist():
            raise DocumentFailed("encrypted", "this EPUB is protected by its seller: it can't be read")
        return "\n\n".join(read_html(archive.read(chapter)) for chapter in _chapters(archive))


def _chapters(archive: zipfile.ZipFile) -> Iterator[str]:
    """Yield the paths of the spine's documents."""
    names = set(archive.namelist())
    package = _xml(archive.read(CONTAINER)).xpath("string(//*[local-name()='rootfile']/@full-path)")
    if package not in names:
        raise DocumentFailed("damaged", f"this EPUB has no {package or 'package document'}: download it again")
    tree = _xml(archive.read(package))
    paths = {item.get("id"): item.get("href") for item in tree.xpath("//*[local-name()='manifest']/*")}
    for reference in tree.xpath("//*[local-name()='spine']/*[local-name()='itemref']"):
        href = urllib.parse.unquote(paths.get(reference.get("idref")) or "")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(package), href))
        if path not in names:
            raise DocumentFailed("damaged", f"this EPUB lacks its chapter {href}: download it again")
        yield path


def _xml(data: bytes) -> Any:
    return etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
