"""Read what `--schema` names: a JSON Schema file, or a pydantic model."""

import importlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for
from pydantic import BaseModel

from tasks.base.errors import UserMistake
from tasks.results.subschema import is_object, resolved, target_of

REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
# The values of these keys are data, not schemas.
DATA_KEYS = frozenset({"enum", "const", "default", "examples"})
FIX = "give a JSON Schema file, or a pydantic model as package.module:Model"


class Read(NamedTuple):
    """A schema, and the pydantic model that it was made from, if any."""

    schema: Mapping[str, Any]
    model: type[BaseModel] | None = None


def read_schema(name: str) -> Read:
    """Return the schema that a file or a model's name holds.

    Raises UserMistake for one that can't be read, isn't a schema of objects with
    properties, or refers to what lies outside of it.
    """
    path = Path(name)
    read = _model(name) if ":" in name and not path.is_file() else Read(_file(path))
    _check(name, read.schema)
    return read


def _file(path: Path) -> Mapping[str, Any]:
    try:
        schema = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserMistake(f"--schema {path}: can't be read: {error.strerror}: {FIX}") from error
    except (ValueError, RecursionError) as error:
        raise UserMistake(f"--schema {path}: it isn't JSON: {error}: {FIX}") from error
    if not isinstance(schema, dict):
        raise UserMistake(f"--schema {path}: it is no JSON object: {FIX}")
    return schema


def _model(name: str) -> Read:
    """Import a model, from the current folder too."""
    place, _, attribute = name.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(place)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:  # the user's own module may raise anything
        raise UserMistake(f"--schema {name}: can't be imported: {type(error).__name__}: {error}: {FIX}") from error
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise UserMistake(f"--schema {name}: it is no pydantic model: {FIX}")
    try:
        return Read(found.model_json_schema(), found)
    except Exception as error:  # as pydantic does for a field of a type that JSON lacks
        raise UserMistake(f"--schema {name}: it has no JSON Schema: {' '.join(str(error).split())[:300]}") from error


def _check(name: str, schema: Mapping[str, Any]) -> None:
    make = validator_for(schema, default=Draft202012Validator)
    try:
        make.check_schema(schema)
    except SchemaError as error:
        where = "/".join(str(part) for part in error.absolute_path) or "its top"
        raise UserMistake(f"--schema {name}: it is no JSON Schema: {where}: {error.message[:300]}") from error
    for reference in _references(schema):
        if reference != "#" and not reference.startswith("#/"):
            raise UserMistake(
                f"--schema {name}: it refers to {reference}: put that into its own $defs, as #/$defs/NAME"
            )
        if target_of(reference, schema) is None:
            raise UserMistake(f"--schema {name}: it refers to {reference}, which isn't there")
    node, _ = resolved(schema, schema, frozenset())
    if not is_object(node) or not node.get("properties"):
        raise UserMistake(f"--schema {name}: it isn't of an object with properties: name the fields to extract")
    try:
        make(schema).is_valid(dict.fromkeys(node["properties"]))
    except RecursionError:
        raise UserMistake(f"--schema {name}: one of its references leads back to itself") from None


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key in REFERENCES and isinstance(one, str):
                yield one
            elif key not in DATA_KEYS:
                yield from _references(one)
    elif isinstance(value, list):
        for one in value:
            yield from _references(one)
