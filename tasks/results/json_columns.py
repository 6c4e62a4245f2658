"""From a JSON Schema to typed Arrow columns, and from an answer's values to those of the columns.

A field whose values are of one type becomes a column of that type; any other (a union, a
free object, a type within itself) becomes a string that holds its JSON.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa

from tasks.results.schemas import TIME
from tasks.results.subschema import Node, Part, described, is_object, resolved

Json = Any
INT64 = range(-(2**63), 2**63)
DATE_LENGTH = len("2026-01-31")


class Unfit(ValueError):
    """A value that its column can't hold; the message says where it is and why."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a field's values lie in a column: those of a struct by `fields`, those of a list by `item`."""

    type: pa.DataType
    convert: Callable[[Json], Any] = str
    wanted: str = "isn't of its type"
    fields: "Mapping[str, Kind] | None" = None
    item: "Kind | None" = None

    def put(self, value: Json, place: str = "") -> Any:
        """Return a valid value as Arrow takes it. Raises Unfit."""
        if value is None:
            return None
        try:
            if self.fields is not None:
                return {name: kind.put(value.get(name), f"{place}.{name}") for name, kind in self.fields.items()}
            if self.item is not None:
                return [self.item.put(one, f"{place}[{number}]") for number, one in enumerate(value)]
            return self.convert(value)
        except Unfit:
            raise
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            raise Unfit(f"at {place.lstrip('.')}: {shown(value)} {self.wanted}") from error

    def ordered(self, value: Json) -> Json:
        """Return a value with the keys of its objects in the schema's order, others behind them."""
        if self.fields is not None and isinstance(value, dict):
            known = {name: kind.ordered(value[name]) for name, kind in self.fields.items() if name in value}
            return known | {name: one for name, one in value.items() if name not in known}
        if self.item is not None and isinstance(value, list):
            return [self.item.ordered(one) for one in value]
        return value


class Column(NamedTuple):
    """A column of `documents`, and the field of the answer that fills it."""

    name: str
    field: str
    kind: Kind
    about: str

    def as_field(self) -> pa.Field:
        """Return the Arrow field, with the schema's description."""
        return pa.field(self.name, self.kind.type, metadata={"description": self.about})


def kind_of_answer(schema: Node) -> Kind:
    """Return the kind of a whole answer: a struct, one field a property of the schema."""
    return _kind(schema, schema, frozenset())


def columns_of(schema: Node, taken: Iterable[str]) -> list[Column]:
    """Return a column for each property of an object's schema; names that are `taken` get a prefix."""
    node, _ = resolved(schema, schema, frozenset())
    used = {name.lower() for name in taken}
    fields = kind_of_answer(schema).fields or {}
    names = [free_name(name, "field_", used) for name in fields]
    abouts = [described(node["properties"][name], schema) for name in fields]
    return [Column(*one) for one in zip(names, fields, fields.values(), abouts, strict=True)]


def free_name(name: str, prefix: str, used: set[str]) -> str:
    """Return a free column name, adding the prefix while the name is in use, ignoring case; add it to `used`."""
    while name.lower() in used:
        name = prefix + name
    used.add(name.lower())
    return name


def shown(value: Json) -> str:
    """Return a value in a few words."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _kind(node: Part, root: Node, seen: frozenset[str]) -> Kind:
    if isinstance(node, Mapping) and _is_number_or_text(node):
        return NUMBER_OR_TEXT
    found, seen = resolved(node, root, seen)
    if is_object(found) and found.get("properties"):
        fields = {str(name): _kind(one, root, seen) for name, one in found["properties"].items()}
        return Kind(pa.struct([pa.field(name, kind.type) for name, kind in fields.items()]), fields=fields)
    if "enum" in found or "const" in found:
        return _of_values(found["enum"] if "enum" in found else [found["const"]])
    name = found.get("type") or ("array" if "items" in found else None)
    if name == "array" and isinstance(found.get("items"), dict) and "prefixItems" not in found:
        item = _kind(found["items"], root, seen)
        return Kind(pa.list_(item.type), item=item)
    if name == "string":
        return FORMATS.get(str(found.get("format")), TEXT)
    return SIMPLE.get(str(name), ANYTHING)


def _of_values(values: Sequence[Json]) -> Kind:
    """Return the kind that all of an enum's values are of."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return REAL
    return OF_PYTHON.get(kinds.pop(), ANYTHING) if len(kinds) == 1 else ANYTHING


def _whole(value: Json) -> int:
    number = int(value)
    if number not in INT64:
        raise ValueError(f"it is beyond 64 bits: {number:.3e}")
    return number


def _real(value: Json) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("it isn't finite")
    return number


def _date(value: Json) -> date:
    if len(value) != DATE_LENGTH:  # basic and week dates, which ISO 8601 has too, aren't JSON Schema's
        raise ValueError("it has another form")
    return date.fromisoformat(value)


def _time(value: Json) -> datetime:
    time = datetime.fromisoformat(value)
    if time.tzinfo is None or len(value) <= DATE_LENGTH:
        raise ValueError("it has no zone")
    return time.astimezone(UTC)


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else _json(value)


def _is_number_or_text(node: Node) -> bool:
    """Whether it is a union of numbers and strings, as pydantic's schema of a Decimal is."""
    options = [one for word in ("anyOf", "oneOf") for one in node.get(word) or ()]
    kinds = [one.get("type") if isinstance(one, Mapping) else None for one in options] or node.get("type")
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        return False
    return {"string"} < {*kinds} - {"null"} <= {"string", "number", "integer"}


def _number_or_text(value: Json) -> str:
    """Return its JSON, but a number in one spelling: of 12.5, "12.50" and "12,50" alike 12.5."""
    if isinstance(value, str):
        if not NUMBER.fullmatch(value):
            return _json(value)
        value = value.replace(",", ".")
    digits = format(Decimal(str(value)), "f")
    digits = digits.rstrip("0").rstrip(".") if "." in digits else digits
    return "0" if digits == "-0" else digits


# No leading zeros, as codes have; a comma before three digits may separate thousands.
NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+|,(?:\d\d?|\d{4,}))?", re.ASCII)
TEXT = Kind(pa.string(), _text)
NUMBER_OR_TEXT = Kind(pa.string(), _number_or_text)
ANYTHING = Kind(pa.string(), _json)
WHOLE = Kind(pa.int64(), _whole, "is no whole number of 64 bits")
REAL = Kind(pa.float64(), _real, "is no number that 64 bits hold")
TRUTH = Kind(pa.bool_(), bool)
DATE = Kind(pa.date32(), _date, "is no date: write it as 2026-01-31")
INSTANT = Kind(TIME, _time, "is no date and time with its zone: write it as 2026-01-31T12:00:00Z")
SIMPLE = {"integer": WHOLE, "number": REAL, "boolean": TRUTH}
FORMATS = {"date": DATE, "date-time": INSTANT}
OF_PYTHON = {str: TEXT, int: WHOLE, float: REAL, bool: TRUTH}
