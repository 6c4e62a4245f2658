"""The labels that texts are classified by, and the schema of an answer that names some of them."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.base.errors import UserMistake

FIX = "give two or more, as in --labels billing,delivery,other, or a file with a `label: description` a line"


def read_labels(named: str) -> Mapping[str, str]:
    """Return labels with their descriptions ("" without one), from a list with commas or a file.

    A file holds a label a line, with `: description` behind it or not, or is JSON: a list of labels, or an
    object of descriptions by label. Raises UserMistake for fewer than two, or the same twice.
    """
    path = Path(named)
    pairs = list(_of_file(path) if _is_file(path) else ((label, "") for label in named.split(",")))
    found = {label.strip(): text.strip() for label, text in pairs if label.strip()}
    if len(found) < 2:
        raise UserMistake(f"--labels {named}: {FIX}")
    if len(found) < sum(bool(label.strip()) for label, _ in pairs):
        raise UserMistake(f"--labels {named}: a label stands there twice")
    return found


def listed(labels: Mapping[str, str]) -> str:
    """Return labels as a prompt lists them."""
    return "\n".join(f"- {label}: {text}" if text else f"- {label}" for label, text in labels.items())


def labels_schema(labels: Mapping[str, str], *, several: bool) -> Mapping[str, Any]:
    """Return the JSON Schema of an answer: a `label`, or with `several` a list of `labels`, which may be empty."""
    one = {"type": "string", "enum": list(labels)}
    name, node = ("labels", {"type": "array", "items": one, "uniqueItems": True}) if several else ("label", one)
    return {"type": "object", "properties": {name: node}, "required": [name], "additionalProperties": False}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a list is too long for a name
        return False


def _of_file(path: Path) -> Iterator[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        value = json.loads(text) if path.suffix.lower() == ".json" else None
    except (OSError, ValueError, RecursionError) as error:
        raise UserMistake(f"--labels {path}: can't be read: {error}: {FIX}") from error
    if isinstance(value, dict):
        yield from ((str(label), str(words or "")) for label, words in value.items())
    elif isinstance(value, list):
        yield from ((str(label), "") for label in value)
    elif value is not None:
        raise UserMistake(f"--labels {path}: it is neither a list nor an object: {FIX}")
    else:
        for line in text.splitlines():
            label, _, words = line.partition(":")
            yield label, words
