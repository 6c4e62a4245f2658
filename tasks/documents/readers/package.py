"""Open Packaging Conventions (ECMA-376, part 2): the parts of an Office file, their types and their relationships.

A part is found as Office finds it: by a relationship, whatever its name, in either case, with
slashes or backslashes, relative or absolute.
"""

import contextlib
import io
import posixpath
import re
import struct
import urllib.parse
import zipfile
import zlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple
from xml.parsers import expat

from lxml import etree

TYPES_PART = "[Content_Types].xml"
STEP = 1 << 20
DEEPEST = 5_000
# The bytes of a member's own header, and how many of its packed bytes are tried at a time after damage.
HEADER, SHORT = 30, 64
# The namespaces of Strict Open XML are those of the transitional form but for their beginning.
STRICT = re.compile(
    rb"http://purl\.oclc\.org/ooxml/(wordprocessingml|spreadsheetml|presentationml|drawingml|officeDocument)/"
)
TRANSITIONAL = rb"http://schemas.openxmlformats.org/\1/2006/"
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, OSError, RuntimeError)


class PackagePart(NamedTuple):
    """The bytes of a part; where it isn't whole, those before its damage."""

    data: bytes
    whole: bool


class Relation(NamedTuple):
    """What a part refers to: `kind` is the last word of the relationship's type (`styles`, `image`).

    `target` is the name of a part, or a URL where it is external.
    """

    kind: str
    target: str
    external: bool


class Package:
    """A ZIP file by its parts. Raises what zipfile does where `data` is none."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        self._members = {_key(member.filename): member for member in self._archive.infolist()}

    def __contains__(self, name: str) -> bool:
        return _key(name) in self._members

    def read(self, name: str, most: int | None = None) -> PackagePart:
        """Return a part, or as much of it as can be read; `most` bounds the bytes that are read."""
        member = self._members.get(_key(name))
        if member is None:
            return PackagePart(b"", whole=False)
        try:
            with self._archive.open(member) as file:
                return PackagePart(file.read(-1 if most is None else most), whole=True)
        except BROKEN:
            data = self._salvaged(member, member.file_size if most is None else min(most, member.file_size))
            return PackagePart(data, len(data) == member.file_size and zlib.crc32(data) == member.CRC)

    def _salvaged(self, member: zipfile.ZipInfo, most: int) -> bytes:
        """Return what can be unpacked of a member that zipfile refuses: its start, or all but for a wrong header."""
        start = member.header_offset + HEADER
        if len(self._data) < start:
            return b""
        start += sum(struct.unpack_from("<HH", self._data, start - 4))
        packed = self._data[start : start + member.compress_size]
        if member.compress_type == zipfile.ZIP_STORED:
            return packed[:most]
        found, engine = bytearray(), zlib.decompressobj(-zlib.MAX_WBITS)
        with contextlib.suppress(zlib.error):
            for at in range(0, len(packed) if member.compress_type == zipfile.ZIP_DEFLATED else 0, SHORT):
                found += engine.decompress(packed[at : at + SHORT])
                if len(found) >= most:
                    break
        return bytes(found[:most])

    def relations(self, name: str = "") -> Mapping[str, Relation]:
        """Return the relationships of a part (of the package for ""), by their ids."""
        folder, file = posixpath.split(name)
        tree = parsed(self.read(posixpath.join(folder, "_rels", f"{file}.rels"), STEP).data)[0]
        found: dict[str, Relation] = {}
        for item in () if tree is None else tree.iter("{*}Relationship"):
            target, external = item.get("Target", ""), item.get("TargetMode", "").lower() == "external"
            path = target if external else resolved(folder, target)
            found[item.get("Id", str(len(found)))] = Relation(item.get("Type", "").rpartition("/")[2], path, external)
        return found

    def main(self) -> str | None:
        """Return the name of the part with the document, the workbook or the slides; None where there is none."""
        for relation in self.relations().values():
            if relation.kind == "officeDocument" and not relation.external and relation.target in self:
                return relation.target
        types = self._types.items()
        return next((name[1:] for name, type_ in types if name[0] == "/" and ".main" in type_ and name in self), None)

    def content_type(self, name: str) -> str:
        """Return the content type of a part in lower case, "" where the package doesn't tell it."""
        key = _key(name)
        return self._types.get("/" + key) or self._types.get(key.rpartition(".")[2], "")

    @cached_property
    def _types(self) -> dict[str, str]:
        """Content types by "/name" of a part, and by extension."""
        tree = parsed(self.read(TYPES_PART, STEP).data)[0]
        found: dict[str, str] = {}
        for item in () if tree is None else tree.iter("{*}Override", "{*}Default"):
            name, extension = item.get("PartName"), item.get("Extension", ".").lower()
            found["/" + _key(name) if name else extension] = item.get("ContentType", "").lower()
        return found


def resolved(folder: str, target: str) -> str:
    """Return the name of the part that a relationship in that folder leads to."""
    path = urllib.parse.unquote(target.partition("#")[0]).replace("\\", "/")
    return posixpath.normpath(posixpath.join("/", folder, path)).lstrip("/")


def parsed(data: bytes) -> tuple[Any, str]:
    """Return the tree of XML, however deep, Strict Open XML in the transitional namespaces, and "" or its damage.

    A damaged text gives the tree of what could be read, or None.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True, recover=True)
    try:
        tree = etree.fromstring(STRICT.sub(TRANSITIONAL, data), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        return None, str(error)
    fatal = [error for error in parser.error_log if error.level_name == "FATAL"]
    if not fatal:
        return tree, ""
    if "depth" in fatal[0].message:
        return _deep(STRICT.sub(TRANSITIONAL, data)) or (tree, fatal[0].message)
    return tree, f"line {fatal[0].line}: {fatal[0].message}"


def _deep(data: bytes) -> tuple[Any, str] | None:
    """Return the tree of XML that is nested deeper than libxml2 reads (2,048 elements).

    None where it is damaged, too, or nested deeper than DEEPEST: an element costs as much as it
    is deep. Which prefixes its namespaces had isn't kept.
    """
    builder, parser, depth = etree.TreeBuilder(), expat.ParserCreate(namespace_separator="}"), 0

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise ValueError
        builder.start(_clark(tag), {_clark(name): value for name, value in attributes.items()})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_clark(tag))

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError):
        return None
    return builder.close(), ""


def _clark(name: str) -> str:
    return "{" + name if "}" in name else name


def _key(name: str) -> str:
    return posixpath.normpath(urllib.parse.unquote(name).replace("\\", "/")).lstrip("/").lower()
