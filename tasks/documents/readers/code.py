"""Source code and its top-level definitions, as tree-sitter's grammars find them."""

import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import PurePath

from tree_sitter import Language, Node, Parser, Tree

from tasks.documents.document import Content, Section
from tasks.documents.encodings.decode import decode
from tasks.documents.headings import shortened
from tasks.documents.readers.grammars import OF_SUFFIX

# What belongs to the definition below it, unless it ends a line of the one above.
LEADING = frozenset({"comment", "line_comment", "block_comment", "decorator", "attribute_item", "annotation"})
# Definitions in these are top-level ones still; an include guard is around a whole header.
AROUND = frozenset({
    "namespace_declaration", "namespace_definition", "linkage_specification", "internal_module", "module",
    "preproc_ifdef", "preproc_if", "preproc_else", "preproc_elif",
})  # fmt: skip
CLASSES = frozenset({"impl_item", "trait_item", "interface_declaration", "struct_declaration", "module", "object"})
CONDITIONS = frozenset({"identifier", "preproc_defined", "binary_expression", "unary_expression", "number_literal"})
MARKS = ("@", "[", "#[")  # decorators, attributes and annotations
LONGEST_LINE = 400
# Processor time for a file, and for each byte of it: real programs take a tenth of it, but what is none
# may take a grammar the square of its length.
SECONDS, SECONDS_A_BYTE = 1.0, 5e-6
PIECE = 64 * 1024


def read_code(data: bytes, name: str) -> Content:
    """Return source code of any encoding with its definitions; `name` tells the language.

    What no grammar gets through in time is plain text.

    Raises DocumentFailed with reason `not_text`.
    """
    text, _, unread, _ = decode(data)
    raw = text.encode("utf-8", "surrogatepass")
    tree = _parsed(raw, _language(OF_SUFFIX[PurePath(name).suffix.lower()]))
    if tree is None:
        return Content(text, unread=unread)
    return Content(text, tuple(_sections(raw, tree.root_node)), code=True, unread=unread)


def _parsed(raw: bytes, language: Language) -> Tree | None:
    """Return the tree of a program, or None where it takes too long.

    tree-sitter asks `late` only where it reads the text by a function.
    """
    deadline = time.process_time() + SECONDS + SECONDS_A_BYTE * len(raw)

    def piece(offset: int, _: object) -> bytes:
        return raw[offset : offset + PIECE]

    def late(_: int, __: bool) -> bool:  # noqa: FBT001 - as tree-sitter calls it
        return time.process_time() > deadline

    try:
        return Parser(language).parse(piece, encoding="utf8", progress_callback=late)
    except ValueError:
        return None


def _language(name: str) -> Language:
    if name in ("typescript", "tsx"):
        return Language(getattr(import_module("tree_sitter_typescript"), f"language_{name}")())
    module = import_module(f"tree_sitter_{name}")
    return Language(module.language_php() if name == "php" else module.language())


def _sections(raw: bytes, root: Node) -> Iterator[Section]:
    """Yield a section a definition; what leads it (comments, decorators) is in it."""
    done = place = 0
    row = -1
    for first, node, level in _definitions(root, 1):
        if first.start_point.row <= row:  # it shares its line with the one before
            continue
        row = first.start_point.row
        start = first.start_byte - first.start_point.column
        place += len(raw[done:start].decode("utf-8", "surrogatepass"))
        done = start
        yield Section(place, level, shortened(_named(raw, node)))


def _definitions(node: Node, level: int, *, members: bool = False) -> Iterator[tuple[Node, Node, int]]:
    """Yield each definition, the first of what leads it, and how deep it lies in namespaces and classes.

    Of the `members` of a class only its methods, which have a body.
    """
    first: Node | None = None
    row = -1
    for child in node.children:
        if child.type in LEADING:
            first = first or (child if child.start_point.row > row else None)
        elif child.is_named and not (child.type in CONDITIONS and node.type in AROUND):
            inner = child.child_by_field_name("declaration") or child.child_by_field_name("definition") or child
            body = inner.child_by_field_name("body")
            if body is not None or not members:
                yield first or child, child, level
            first = None
            if inner.type in AROUND:
                yield from _definitions(body or inner, level + (body is not None))
            elif body is not None and (inner.type in CLASSES or "class" in inner.type):
                yield from _definitions(body, level + 1, members=True)
        row = child.end_point.row


def _named(raw: bytes, node: Node) -> str:
    """Return the line of a definition that names it."""
    inner = node.child_by_field_name("definition") or node.child_by_field_name("declaration")
    if inner is None and node.type == "template_declaration":
        inner = node.named_children[-1]
    if inner is not None:
        return _named(raw, inner)
    name = node.child_by_field_name("name") or node.child_by_field_name("declarator")
    if name is not None:
        start = max(raw.rfind(b"\n", 0, name.start_byte) + 1, node.start_byte)
        return _line(raw[start : min(start + LONGEST_LINE, node.end_byte)].split(b"\n", 1)[0])
    lines = [
        _line(line) for line in raw[node.start_byte : min(node.start_byte + LONGEST_LINE, node.end_byte)].split(b"\n")
    ]
    return next((line for line in lines if not line.startswith(MARKS)), lines[0])


def _line(line: bytes) -> str:
    return line.decode("utf-8", "replace").strip().rstrip(" {:(\r")
