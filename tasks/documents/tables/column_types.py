"""The Arrow type of a column's values, and the values converted to that type without changing or losing any.

A CSV cell has a type only if its value, turned back into text, equals the cell: `01234`, `12.50`,
`1e5` and ` 7` are text. An empty cell is null in a column that has a type.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds_of

# Up to 15 digits, different decimal fractions are different floats.
WRITTEN = (
    (pa.int64(), r"^(0|-?[1-9][0-9]{0,18})$"),
    (pa.float64(), r"^(0|-?[1-9][0-9]{0,14}|-?(0|[1-9][0-9]{0,6})\.(0|[0-9]{0,7}[1-9]))$"),
    (pa.bool_(), r"^(true|false)$"),
    (pa.date32(), r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    (pa.timestamp("us"), r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}$"),
)
# Small fractions, which Python writes with an exponent, and the year 0.
NOT_PYTHON = r"^-?0\.0000|^0000-"
# Beyond it, not every whole number is a float.
EXACT = 2**53
UNFIT = (pa.ArrowException, ValueError, TypeError, OverflowError)


class UnfitColumn(ValueError):
    """A value isn't of its column's type, although the type was determined from all values."""


@dataclass(slots=True)
class Kinds:
    """The types of a column's values, and whether they include whole numbers that no float represents."""

    kinds: list[pa.DataType] = field(default_factory=list)
    beyond_floats: bool = False

    def add(self, kind: pa.DataType, *, beyond_floats: bool = False) -> None:
        """Record the type of some values."""
        self.beyond_floats |= beyond_floats
        if kind not in self.kinds:
            self.kinds.append(kind)

    def join(self, other: "Kinds") -> None:
        """Merge in what another one has recorded."""
        for kind in other.kinds:
            self.add(kind, beyond_floats=other.beyond_floats)

    @property
    def is_text(self) -> bool:
        """Whether the column is text, whatever values follow."""
        return pa.string() in self.kinds

    def unified(self) -> pa.DataType:
        """Return the type that holds all these values as they are: string where Parquet has no other."""
        kinds = [kind for kind in self.kinds if not kinds_of.is_null(kind)]
        kind = _unified(kinds)
        lossy = self.beyond_floats and len(kinds) > 1 and any(map(kinds_of.is_floating, _leaves(kind)))
        return pa.string() if lossy or _has_empty_struct(kind) else kind


def _unified(kinds: Sequence[pa.DataType]) -> pa.DataType:
    if len(kinds) == 1:
        return kinds[0]
    leaves = [leaf for kind in kinds for leaf in _leaves(kind)]
    # A union of these would hold other values than the columns do.
    mixed = any(map(kinds_of.is_string, leaves)) and any(map(kinds_of.is_binary, leaves))
    mixed |= any(map(kinds_of.is_decimal, leaves)) and any(map(kinds_of.is_floating, leaves))
    mixed |= any(map(kinds_of.is_uint64, leaves)) and any(map(kinds_of.is_signed_integer, leaves))
    schemas = [pa.schema([("value", kind)]) for kind in kinds]
    if mixed or not schemas:
        return pa.string()
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return pa.string()


def _leaves(kind: pa.DataType) -> Iterator[pa.DataType]:
    if not kind.num_fields:
        yield kind
    for place in range(kind.num_fields):
        yield from _leaves(kind.field(place).type)


def _has_empty_struct(kind: pa.DataType) -> bool:
    """Whether somewhere in a type is a struct without fields, as of `{}`, which Parquet can't hold."""
    return any(map(kinds_of.is_struct, _leaves(kind)))


def take_json(values: Sequence[Any], known: Kinds) -> None:
    """Take note of the type of JSON values; string where they are mixed, null where there are none."""
    if not known.is_text:
        array = None if all(isinstance(value, str) for value in values) else _array(values)
        _take(array, known)


def take_cells(cells: Sequence[str], known: Kinds) -> None:
    """Record the type of cells, ignoring empty ones; string wherever the type is uncertain."""
    filled = [] if known.is_text else [cell for cell in cells if cell]
    if filled:
        array = _array(filled, pa.string())
        found = None if array is None else (_values(array, kind, form) for kind, form in WRITTEN)
        _take(next((values for values in found or () if values is not None), None), known)


def _take(array: pa.Array | None, known: Kinds) -> None:
    if array is None:
        known.add(pa.string())
    else:
        known.add(array.type, beyond_floats=_is_beyond_floats(array))


def _array(values: Sequence[Any], kind: pa.DataType | None = None) -> pa.Array | None:
    try:
        return pa.array(values, kind)
    except UNFIT:
        return None


def _values(cells: pa.Array, kind: pa.DataType, form: str) -> pa.Array | None:
    """Return cells as values of a type; None where one isn't written as such values are."""
    if not pc.all(pc.match_substring_regex(cells, form)).as_py():
        return None
    if pc.any(pc.match_substring_regex(cells, NOT_PYTHON)).as_py():
        return None
    try:
        return cells.cast(kind)
    except UNFIT:
        return None


def _is_beyond_floats(array: pa.Array) -> bool:
    if not kinds_of.is_integer(array.type):
        return array.type.num_fields > 0 and any(map(kinds_of.is_integer, _leaves(array.type)))
    ends = pc.min_max(array).as_py()
    return any(end is not None and abs(end) > EXACT for end in ends.values())


def fitted(values: Sequence[Any], kind: pa.DataType) -> Sequence[Any]:
    """Return the values as Python values that an array of that type accepts. Raises UnfitColumn if one isn't of it."""
    if kinds_of.is_string(kind):
        return (
            values if all(value is None or isinstance(value, str) for value in values) else list(map(as_text, values))
        )
    try:
        if any(isinstance(value, str) for value in values):
            return _read(values, kind)
        pa.array(values, kind)
    except UNFIT as error:
        raise UnfitColumn(str(error)) from error
    return values


def _read(cells: Sequence[str | None], kind: pa.DataType) -> list[Any]:
    """Parse cells, or names of folders. A whole number stays an integer in a column of floats: 2, not 2.0."""
    array = pa.array([cell or None for cell in cells], pa.string())
    values: list[Any] = array.cast(kind).to_pylist()
    if not kinds_of.is_floating(kind):
        return values
    return [
        value if value is None or "." in str(cell) else int(value) for value, cell in zip(values, cells, strict=True)
    ]


def as_text(value: Any) -> str | None:
    """Return a value as text: a string as it is, and others as their table would write them."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, bool | int | float | dict | list):
        return json.dumps(value, default=as_text, ensure_ascii=False)
    return str(value)
