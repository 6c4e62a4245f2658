"""The package of an EPUB: which chapters it has, in what order, and which are encrypted (EPUB 3.3, 4 and 5)."""

import posixpath
import re
import urllib.parse
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

from lxml import etree

CONTAINER, ENCRYPTION = "META-INF/container.xml", "META-INF/encryption.xml"
# What only obscures fonts (EPUB 3.3, 4.4; Adobe's own).
OBSCURED = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
PAGES = (".xhtml", ".html", ".htm", ".xht", ".xml", ".svg")
READABLE = ("xhtml", "html", "svg", "dtbook", "oeb1-document", "/xml", "text/plain")
MOST_FALLBACKS = 10
NUMBERS = re.compile(r"[0-9]{1,18}")


class Chapter(NamedTuple):
    """A chapter as the package names it, and its path in the archive: None where there is none."""

    href: str
    path: str | None


class ManifestItem(NamedTuple):
    """An entry of the manifest."""

    href: str
    media: str
    fallback: str


class EpubPackage:
    """What an EPUB's package document says, or, without one, what its archive holds."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.names = {name.casefold(): name for name in reversed(archive.namelist())}
        self.names.update({name: name for name in archive.namelist()})
        self.path, tree = self._document()
        self.found = tree is not None
        self.items: dict[str, ManifestItem] = {}
        self.order: list[str] = []
        if tree is not None:
            self._learn(tree)
        self.has_encryption = self._find(ENCRYPTION) is not None
        self.encrypted = frozenset(self._encrypted())

    def chapters(self) -> Iterator[Chapter]:
        """Yield each chapter of the spine once, else of the manifest, else of the archive by its numbers."""
        done: set[str] = set()
        for name in self.order or self.items:
            item = self._readable(name)
            chapter = self._chapter(item) if item else None if name in self.items else Chapter(name, None)
            if chapter and (chapter.path or chapter.href) not in done:
                done.add(chapter.path or chapter.href)
                yield chapter
        if not done and not self.order:
            pages = [name for name in self.archive.namelist() if name.lower().endswith(PAGES)]
            pages = [name for name in pages if not name.startswith("META-INF/")]
            yield from (Chapter(name, name) for name in sorted(pages, key=_by_numbers))

    def _document(self) -> tuple[str, Any]:
        """Return the path and the tree of the package document that is sound."""
        container = self._tree(CONTAINER)
        named = [] if container is None else container.xpath("//*[local-name()='rootfile']/@full-path")
        others = [name for name in self.archive.namelist() if name.lower().endswith(".opf")]
        for path in (*map(str, named), *others):
            found = self._find(urllib.parse.unquote(path).lstrip("/")) or self._find(path)
            tree = self._tree(found) if found else None
            if found and tree is not None:
                return found, tree
        return "", None

    def _learn(self, tree: Any) -> None:
        for item in tree.xpath("//*[local-name()='manifest']/*[local-name()='item']"):
            name = item.get("id") or item.get("href") or ""
            self.items[name] = ManifestItem(
                item.get("href") or "", item.get("media-type") or "", item.get("fallback") or ""
            )
        self.order = [
            one.get("idref") or "" for one in tree.xpath("//*[local-name()='spine']/*[local-name()='itemref']")
        ]

    def _readable(self, name: str) -> ManifestItem | None:
        """Return the item of that name, or the one that it falls back on, if it holds text."""
        for _ in range(MOST_FALLBACKS):
            item = self.items.get(name)
            if item is None:
                return None
            media = item.media.lower()
            if any(word in media for word in READABLE) or item.href.partition("#")[0].lower().endswith(PAGES):
                return item
            name = item.fallback
        return None

    def _chapter(self, item: ManifestItem) -> Chapter:
        folder = posixpath.dirname(self.path)
        href = item.href.partition("#")[0].replace("\\", "/")
        plain = urllib.parse.unquote(href)
        for path in (plain, href):
            for base in (folder, ""):
                if found := self._find(posixpath.normpath(posixpath.join("/", base, path.lstrip("/"))).lstrip("/")):
                    return Chapter(plain, found)
        return Chapter(plain, None)

    def _encrypted(self) -> Iterator[str]:
        tree = self._tree(ENCRYPTION)
        if tree is None:
            return
        for one in tree.xpath("//*[local-name()='EncryptedData']"):
            method = one.xpath("string(*[local-name()='EncryptionMethod']/@Algorithm)")
            for path in one.xpath(".//*[local-name()='CipherReference']/@URI"):
                found = self._find(urllib.parse.unquote(str(path)).lstrip("/"))
                if found and method not in OBSCURED:
                    yield found

    def _find(self, path: str) -> str | None:
        return self.names.get(path) or self.names.get(path.casefold())

    def _tree(self, path: str) -> Any:
        """Return the tree of an XML file, mended where it can be; None where there is none."""
        found = self._find(path)
        parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
        try:
            return etree.fromstring(self.archive.read(found), parser) if found else None
        except (etree.XMLSyntaxError, zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, ValueError):
            return None


def _by_numbers(name: str) -> tuple[str, list[int], str]:
    return NUMBERS.sub("#", name), [int(one) for one in NUMBERS.findall(name)], name
