"""Source code and its top-level definitions, as tree-sitter's grammars find them."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import PurePath

from tree_sitter import Language, Node, Parser

from tasks.documents.decode import decode
from tasks.documents.document import Content, Section
from tasks.documents.readers.grammars import OF_SUFFIX
from tasks.documents.sections import shortened

# What belongs to the definition below it.
LEADING = frozenset({"comment", "line_comment", "block_comment", "decorator", "attribute_item", "annotation"})
# Definitions in these are top-level ones still.
AROUND = frozenset({"namespace_declaration", "namespace_definition", "linkage_specification"})
MARKS = ("@", "[", "#[")  # decorators, attributes and annotations


def read_code(data: bytes, name: str) -> Content:
    """Return source code of any encoding with its definitions; `name` tells the language.

    Raises DocumentFailed with reason `not_text`.
    """
    text = decode(data)
    raw = text.encode("utf-8", "surrogatepass")
    tree = Parser(_language(OF_SUFFIX[PurePath(name).suffix.lower()])).parse(raw)
    return Content(text, tuple(_sections(raw, tree.root_node)), code=True)


def _language(name: str) -> Language:
    if name in ("typescript", "tsx"):
        return Language(getattr(import_module("tree_sitter_typescript"), f"language_{name}")())
    module = import_module(f"tree_sitter_{name}")
    return Language(module.language_php() if name == "php" else module.language())


def _sections(raw: bytes, root: Node) -> Iterator[Section]:
    """Yield a section a definition; what leads it (comments, decorators) is in it."""
    done, place = -1, 0
    for first, node, level in _definitions(root, 1):
        start = raw.rfind(b"\n", 0, first.start_byte) + 1
        if start > done:  # otherwise it shares its line with the one before
            place += len(raw[max(done, 0) : start].decode("utf-8", "surrogatepass"))
            done = start
            yield Section(place, level, shortened(_named(raw, node)))


def _definitions(node: Node, level: int) -> Iterator[tuple[Node, Node, int]]:
    """Yield each definition, the first of what leads it, and how deep it lies in namespaces."""
    first: Node | None = None
    for child in node.children:
        if child.type in LEADING:
            first = first or child
        elif child.is_named:
            yield first or child, child, level
            first = None
            body = child.child_by_field_name("body") if child.type in AROUND else None
            if body is not None:
                yield from _definitions(body, level + 1)


def _named(raw: bytes, node: Node) -> str:
    """Return the line of a definition that names it."""
    node = node.child_by_field_name("definition") or node  # Python's decorators are around it
    lines = raw[node.start_byte : node.end_byte].decode("utf-8", "replace").split("\n")
    named = next((line for line in lines if not line.lstrip().startswith(MARKS)), lines[0])
    return named.rstrip(" {:(")
