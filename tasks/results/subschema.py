"""Resolve one node of a JSON Schema: follow references, merge `allOf`, leave out null."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

Node = Mapping[str, Any]
# A schema may also be true or false.
Part = Node | bool
Seen = frozenset[str]
NULL = "null"


def resolved(node: Part, root: Node, seen: Seen) -> tuple[Node, Seen]:
    """Return a node without $ref, allOf and null, and the references followed on the way.

    A node that refers to itself, or allows several types, becomes empty: nothing is known about it.
    """
    if not isinstance(node, Mapping):
        return {}, seen
    if isinstance(reference := node.get("$ref"), str):
        if reference in seen:
            return {}, seen
        target, seen = resolved(target_of(reference, root) or {}, root, seen | {reference})
        node = {**target, **_without(node, "$ref")}
    for part in _nodes(node.get("allOf")):
        other, seen = resolved(part, root, seen)
        node = _both(_without(node, "allOf"), other)
    for word in ("anyOf", "oneOf"):
        if word in node:
            others = [one for one in _nodes(node[word]) if not _is_null(one)]
            node = _without(node, word)
            if len(others) == 1:
                other, seen = resolved(others[0], root, seen)
                node = _both(node, other)
            elif not node.keys() & {"type", "properties"}:
                return {}, seen
    return _one_type(node), seen


def target_of(reference: str, root: Node) -> Node | None:
    """Return what a local reference ("#", "#/$defs/Name") points to, or None."""
    found: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(found, Sequence) and not isinstance(found, str) and key.isdigit() and int(key) < len(found):
            found = found[int(key)]
        elif isinstance(found, Mapping) and key in found:
            found = found[key]
        else:
            return None
    return found if isinstance(found, Mapping) else None


def described(node: Part, root: Node) -> str:
    """Return a schema's words about a field: its description, else its title."""
    found, _ = resolved(node, root, frozenset())
    nodes = [one for one in (node, found) if isinstance(one, Mapping)]
    words = (one.get(key) for key in ("description", "title") for one in nodes)
    return next((word for word in words if isinstance(word, str) and word), "a field of the answer")


def is_object(node: Node) -> bool:
    """Whether a resolved node is of objects."""
    return bool(node.get("type", "object" if "properties" in node else None) == "object")


def _one_type(node: Node) -> Node:
    kinds = node.get("type")
    if not isinstance(kinds, list):
        return node
    others = [kind for kind in kinds if kind != NULL]
    if set(others) == {"integer", "number"}:
        others = ["number"]
    return {**node, "type": others[0]} if len(others) == 1 else {}


def _both(node: Node, other: Node) -> Node:
    """Put two nodes together; where both have properties, an object has those of both."""
    joined = {**other, **node}
    if "properties" in node and "properties" in other:
        joined["properties"] = {**other["properties"], **node["properties"]}
    return joined


def _is_null(node: object) -> bool:
    if not isinstance(node, Mapping):
        return False
    is_typed: bool = node.get("type") == NULL
    return is_typed or ("const" in node and node["const"] is None)


def _nodes(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else []


def _without(node: Node, word: str) -> Node:
    return {key: value for key, value in node.items() if key != word}
