"""Which Arrow type a column's values have, and values of a type that all files agree on."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

WRITTEN = (pa.int64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us"))
# As a number these would lose what they are: an article's code, a telephone number.
CODE = re.compile(r"[-+]?0\d|\+")
UNFIT = (pa.ArrowException, ValueError, TypeError, OverflowError)


def type_of(values: Sequence[Any]) -> pa.DataType:
    """Return the type of JSON values; string where they are mixed, null where there are none."""
    try:
        return pa.array(values).type
    except UNFIT:
        return pa.string()


def type_as_written(values: Sequence[str]) -> pa.DataType:
    """Return the type of cells, of which empty ones tell nothing; string wherever that is unsure."""
    known = [value for value in values if value]
    if not known:
        return pa.null()
    if any(map(CODE.match, known)):
        return pa.string()
    return next((kind for kind in WRITTEN if _parsed(known, kind) is not None), pa.string())


def unified(kinds: Sequence[pa.DataType]) -> pa.DataType:
    """Return the type that holds values of all these types: string where Parquet has no other."""
    schemas = [pa.schema([("value", kind)]) for kind in kinds]
    try:
        kind = pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return pa.string()
    return pa.string() if pa.types.is_null(kind) or _has_empty_struct(kind) else kind


def _has_empty_struct(kind: pa.DataType) -> bool:
    """Whether somewhere in a type is a struct without fields, as of `{}`, which Parquet can't hold."""
    inner = [kind.field(place).type for place in range(kind.num_fields)]
    return (pa.types.is_struct(kind) and not inner) or any(map(_has_empty_struct, inner))


def fitted(values: Sequence[Any], kind: pa.DataType) -> Sequence[Any]:
    """Return the values as Python values of that type; one that doesn't fit it becomes None."""
    if pa.types.is_string(kind):
        return values if all(value is None or isinstance(value, str) for value in values) else list(map(_text, values))
    if any(isinstance(value, str) for value in values):
        parsed = _parsed(values, kind)
        return [_alone(value, kind) for value in values] if parsed is None else parsed
    return values if _fits(values, kind) else [value if _fits([value], kind) else None for value in values]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _alone(value: Any, kind: pa.DataType) -> Any:
    if isinstance(value, str):
        return (_parsed([value], kind) or [None])[0]
    return value if _fits([value], kind) else None


def _parsed(values: Sequence[Any], kind: pa.DataType) -> list[Any] | None:
    """Return what cells, or the names of folders, say; None where one says nothing of that type."""
    try:
        parsed: list[Any] = pa.array([value or None for value in values], pa.string()).cast(kind).to_pylist()
    except UNFIT:
        return None
    return parsed


def _fits(values: Sequence[Any], kind: pa.DataType) -> bool:
    try:
        pa.array(values, kind)
    except UNFIT:
        return False
    return True
