"""The form of answers: a schema, the validation of an answer against it, and the merging of several."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from pydantic import BaseModel, ValidationError

from tasks.prompting.answer_parser import Invalid, parse_objects
from tasks.prompting.column_names import chosen, faults_of_names
from tasks.prompting.merge import RULES, merged
from tasks.prompting.schema import Read
from tasks.results.json_columns import Column, Kind, Unfit, columns_of, kind_of_answer
from tasks.results.subschema import resolved

MOST_FAULTS, FAULT_LENGTH = 10, 200
# Formats checked by the validator; dates are checked by the columns.
FORMATS = FormatChecker(("email", "ipv4", "ipv6", "uuid"))
# What a schema keeps where any of its fields may be missing.
KEPT = (
    "$schema", "$defs", "definitions", "$id", "title", "description", "additionalProperties", "patternProperties",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A schema that answers are validated against.

    An answer for one of several chunks (`whole` is False) may lack any field; the
    answer merged from all of them may not.
    """

    schema: Mapping[str, Any]
    rule: str
    columns: tuple[Column, ...]
    kind: Kind
    nullable: frozenset[str]
    of_part: Mapping[str, Any]
    model: type[BaseModel] | None
    names: Mapping[str, Any]
    _whole: Validator
    _part: Validator
    # The field that holds a label, or a list of them, where texts are classified.
    labels: str | None = None

    @property
    def identity(self) -> str:
        """A hash of everything that decides how an answer is processed."""
        parts = [self.schema, self.rule, f"{self.model.__module__}:{self.model.__qualname__}" if self.model else None]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    @property
    def text(self) -> str:
        """The schema as prompts show it."""
        return json.dumps(self.schema, ensure_ascii=False, indent=1)

    @property
    def asks_to_merge(self) -> bool:
        """Whether the answers over a document's chunks are merged by calls."""
        return self.rule not in RULES

    def asked(self, *, whole: bool) -> Mapping[str, Any]:
        """Return the schema that a call is to follow."""
        return self.schema if whole else self.of_part

    def checked(self, text: str, *, whole: bool) -> str:
        """Return an answer as canonical JSON, its keys in the schema's order. Raises Invalid, with every fault.

        Of several objects it is the last that has any of the schema's fields.
        """
        value = chosen(parse_objects(text), self.names)
        faults = self._faults(value, whole=whole)
        if faults:
            more = [f"and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else []
            raise Invalid("\n".join([*faults[:MOST_FAULTS], *more]))
        return json.dumps(self.kind.ordered(value), ensure_ascii=False)

    def _faults(self, value: Mapping[str, Any], *, whole: bool) -> list[str]:
        try:
            faults = [_fault(error) for error in (self._whole if whole else self._part).iter_errors(value)]
            faults += faults_of_names(value, self.names, self.kind)
            if not faults:
                self._put(value)
                return _faults_of_model(self.model, value) if whole and self.model else []
        except Unfit as error:
            return [str(error)]
        except RecursionError:
            return ["it is nested too deeply"]
        except ArithmeticError:  # of multipleOf
            return ["a number in it is beyond 64 bits"]
        return faults

    def joined(self, answers: Sequence[str]) -> str:
        """Merge checked answers over chunks, in order, into one object, which isn't checked."""
        value = merged(self.rule, [json.loads(answer) for answer in answers], self.nullable)
        return json.dumps(value, ensure_ascii=False)

    def values(self, output: str | None) -> dict[str, Any]:
        """Return the values of the columns for a checked answer; all null where there is none."""
        value = json.loads(output) if output is not None else {}
        return {column.name: column.kind.put(value.get(column.field)) for column in self.columns}

    def labels_in(self, output: str) -> list[str]:
        """Return the labels that a checked answer names; none where texts aren't classified."""
        found = json.loads(output).get(self.labels) if self.labels else None
        return [found] if isinstance(found, str) else list(found or ())

    def _put(self, value: Mapping[str, Any]) -> None:
        for column in self.columns:
            column.kind.put(value.get(column.field), column.field)


def make_form(read: Read, rule: str, taken: Sequence[str], labels: str | None = None) -> Form:
    """Return the form of a schema; a column called as one of `taken` gets another name. `labels`: its field of them."""
    schema = read.schema
    kind, node = kind_of_answer(schema), resolved(schema, schema, frozenset())[0]
    make = validator_for(schema, default=Draft202012Validator)
    part = _of_part(schema, node)
    whole = make(schema, format_checker=FORMATS)
    lenient = make(part, format_checker=FORMATS)
    nullable = frozenset(
        name for name, one in node["properties"].items() if whole.evolve(schema=_at_root(one, schema)).is_valid(None)
    )
    columns = tuple(columns_of(schema, taken))
    return Form(schema, rule, columns, kind, nullable, part, read.model, node["properties"], whole, lenient, labels)


def _of_part(schema: Mapping[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a part of an answer: no field has to be there, any may be null, lists of any length."""
    kept = {key: value for key, value in {**node, **schema}.items() if key in KEPT}
    properties = {name: {"anyOf": [_shorter(one), {"type": "null"}]} for name, one in node["properties"].items()}
    return kept | {"type": "object", "properties": properties}


def _shorter(node: Any) -> Any:
    return {key: value for key, value in node.items() if key != "minItems"} if isinstance(node, dict) else node


def _at_root(node: Any, root: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node with the definitions of its schema, so that its references resolve."""
    kept = {key: root[key] for key in ("$defs", "definitions") if key in root}
    return kept | {"allOf": [node]}


def _fault(error: Any) -> str:
    place = error.json_path.removeprefix("$").lstrip(".")
    words = error.message if len(error.message) <= FAULT_LENGTH else f"{error.message[:FAULT_LENGTH]}…"
    return f"at {place}: {words}" if place else words


def _faults_of_model(model: type[BaseModel], value: Mapping[str, Any]) -> list[str]:
    """Return the errors of the model's own validators for a value."""
    try:
        model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return [f"at {'.'.join(str(part) for part in one['loc']) or 'the top'}: {one['msg']}" for one in found]
    except Exception as error:  # noqa: BLE001 - a validator that breaks over an answer is no reason to stop the job
        return [f"the model's validator broke: {type(error).__name__}: {error}"[:FAULT_LENGTH]]
    return []
