"""Compare an answer's keys with the schema's, to choose the answer among several objects and to find faulty keys."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tasks.results.json_columns import Kind

Object = Mapping[str, Any]
# Models put an answer into one of their own at times: {"result": {...}}, {"answer": [{...}]}.
DEEPEST = 3
MOST_KEYS = 10
NO_LETTER = re.compile(r"[\W_]+")


def chosen(values: Sequence[Object], names: Object) -> Object:
    """Return the answer among objects, unwrapped: the last that has any of the schema's `names`.

    Drafts and examples come before it. If no object has any of the names, it is the last one.
    """
    unwrapped = (_unwrapped(value, names) for value in reversed(values))
    found = (value for value in unwrapped if value.keys() & names.keys() and not _is_schema(value, names))
    return next(found, values[-1])


def _unwrapped(value: Object, names: Object) -> Object:
    inner: Any = value
    for _ in range(DEEPEST):
        if len(inner) != 1 or inner.keys() & names.keys():
            break
        (inner,) = inner.values()
        if isinstance(inner, list) and len(inner) == 1:
            inner = inner[0]
        if not isinstance(inner, dict):
            return value
    return inner if inner.keys() & names.keys() else value


def faults_of_names(value: Object, names: Object, kind: Kind) -> Iterator[str]:
    """Yield the faults of an answer's keys: it is the schema itself, has none of its fields, or misspells some.

    `names` are the schema's properties. Each fault would leave a column empty although the model gave its value.
    """
    if _is_schema(value, names):
        yield "it is the schema, not an answer: fill its fields in"
    elif value and not value.keys() & names.keys():
        yield f"it has none of the fields {_listed(names)}: its keys are {_listed(value)}"
    else:
        yield from _misspelled(value, kind, "")


def _is_schema(value: Object, names: Object) -> bool:
    """Whether it is the schema, or its properties, as they stand in the prompt."""
    properties = value.get("properties")
    return value == names or (isinstance(properties, dict) and (properties == names or _are_nodes(properties, value)))


def _are_nodes(properties: Object, value: Object) -> bool:
    return value.get("type") == "object" and all(isinstance(node, dict) for node in properties.values())


def _misspelled(value: Any, kind: Kind, place: str) -> Iterator[str]:
    """Yield the keys that are a field's name but for case, blanks and dashes, where the field itself has no value."""
    if kind.fields is not None and isinstance(value, dict):
        lacking = {_plain(name): name for name in kind.fields if value.get(name) is None}
        for key, one in value.items():
            name = lacking.get(_plain(key))
            if key not in kind.fields and name is not None and one is not None:
                yield f"at {place}{key[:80]}: the field is called {name}"
        for name, inner in kind.fields.items():
            yield from _misspelled(value.get(name), inner, f"{place}{name}.")
    elif kind.item is not None and isinstance(value, list):
        for number, one in enumerate(value):
            yield from _misspelled(one, kind.item, f"{place.removesuffix('.')}[{number}].")


def _plain(name: str) -> str:
    return NO_LETTER.sub("", name).casefold()


def _listed(keys: Object) -> str:
    more = ", …" if len(keys) > MOST_KEYS else ""
    return ", ".join(key[:80] for key in list(keys)[:MOST_KEYS]) + more
