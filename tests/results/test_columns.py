"""Values of a schema's fields come back from the Arrow columns as they went in."""

import io
import json
from datetime import UTC
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.prompting.answer_form import make_form
from tasks.prompting.schema import Read
from tasks.results.json_columns import columns_of
from tasks.results.parts import as_table


class Field(NamedTuple):
    """A field's schema, its column's type, and values: as they are in JSON, and in the column."""

    schema: dict[str, Any]
    type: pa.DataType
    values: st.SearchStrategy[tuple[Any, Any]]


def same(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    return values.map(lambda value: (value, value))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TIMES = st.datetimes(timezones=st.just(UTC))
SIMPLE = [
    Field({"type": "string"}, pa.string(), same(TEXTS)),
    Field({"type": "integer"}, pa.int64(), same(st.integers(-(2**63), 2**63 - 1))),
    Field({"type": "number"}, pa.float64(), same(st.floats(allow_nan=False, allow_infinity=False))),
    Field({"type": "boolean"}, pa.bool_(), same(st.booleans())),
    Field({"type": "string", "format": "date"}, pa.date32(), st.dates().map(lambda day: (day.isoformat(), day))),
    Field(
        {"type": "string", "format": "date-time"},
        pa.timestamp("us", tz="UTC"),
        TIMES.map(lambda time: (time.isoformat(), time)),
    ),
    Field({"enum": ["a", "b", None]}, pa.string(), same(st.sampled_from(["a", "b", None]))),
    Field({"enum": [1, 2]}, pa.int64(), same(st.sampled_from([1, 2]))),
    Field({"const": True}, pa.bool_(), same(st.just(True))),
    Field({"type": ["string", "integer"]}, pa.string(), (TEXTS | st.integers()).map(lambda v: (v, _json(v)))),
    Field({}, pa.string(), st.dictionaries(TEXTS, TEXTS, max_size=2).map(lambda value: (value, _json(value)))),
]


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def nullable(field: Field) -> Field:
    values = st.just((None, None)) | field.values
    return Field({"anyOf": [field.schema, {"type": "null"}]}, field.type, values)


def array(field: Field) -> Field:
    values = st.lists(field.values, max_size=3).map(
        lambda pairs: ([one for one, _ in pairs], [two for _, two in pairs])
    )
    return Field({"type": "array", "items": field.schema}, pa.list_(field.type), values)


def struct(fields: list[Field]) -> Field:
    named = {f"f{number}": field for number, field in enumerate(fields)}
    schema = {"type": "object", "properties": {name: field.schema for name, field in named.items()}}
    kind = pa.struct([pa.field(name, field.type) for name, field in named.items()])
    values = st.fixed_dictionaries({name: field.values for name, field in named.items()}).map(
        lambda pairs: ({name: one for name, (one, _) in pairs.items()}, {name: two for name, (_, two) in pairs.items()})
    )
    return Field(schema, kind, values)


FIELDS = st.recursive(
    st.sampled_from(SIMPLE),
    lambda inner: inner.map(nullable) | inner.map(array) | st.lists(inner, min_size=1, max_size=3).map(struct),
    max_leaves=5,
)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), fields=st.lists(FIELDS, min_size=1, max_size=4))
def test_values_of_any_schema_come_back_from_parquet_as_they_were(data: st.DataObject, fields: list[Field]) -> None:
    whole = struct(fields)
    form = make_form(Read(whole.schema), "list", ())
    assert [column.kind.type for column in form.columns] == [field.type for field in fields]
    pairs = data.draw(st.lists(whole.values, min_size=1, max_size=3))
    schema = pa.schema([column.as_field() for column in form.columns])
    rows = [form.values(form.checked(json.dumps(value), whole=True)) for value, _ in pairs]
    file = io.BytesIO()
    pq.write_table(as_table(rows, schema) if len(fields) > 1 else pa.Table.from_pylist(rows, schema), file)
    assert pq.read_table(file).to_pylist() == [expected for _, expected in pairs]


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"$ref": "#/$defs/P"}, pa.struct([("name", pa.string())])),
        ({"allOf": [{"$ref": "#/$defs/P"}, {"properties": {"age": {"type": "integer"}}}]},
         pa.struct([("age", pa.int64()), ("name", pa.string())])),
        ({"oneOf": [{"type": "null"}, {"$ref": "#/$defs/P"}]}, pa.struct([("name", pa.string())])),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, pa.string()),
        ({"type": ["integer", "number", "null"]}, pa.float64()),
        ({"type": "array"}, pa.string()),
        ({"type": "array", "items": True}, pa.string()),
        ({"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "string"}}, pa.string()),
        ({"type": "object"}, pa.string()),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, pa.string()),
        ({"type": "string", "format": "time"}, pa.string()),
        ({"type": "array", "items": {"$ref": "#/$defs/Tree"}}, pa.list_(pa.struct([("kids", pa.list_(pa.string()))]))),
        (True, pa.string()),
    ],
)  # fmt: skip
def test_a_field_s_type_is_what_its_schema_says_of_all_its_values(schema: Any, kind: pa.DataType) -> None:
    root = {
        "properties": {"field": schema},
        "$defs": {
            "P": {"type": "object", "properties": {"name": {"type": "string"}}},
            "Tree": {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}}},
        },
    }
    (column,) = columns_of(root, ())
    assert column.kind.type == kind


def test_a_description_goes_with_its_field_and_no_name_stands_twice_in_whatever_case() -> None:
    root = {"properties": {"Status": {"description": "how it is"}, "field_status": {"title": "Another"}, "x": {}}}
    columns = columns_of(root, ["status", "output"])
    assert [column.name for column in columns] == ["field_Status", "field_field_status", "x"]
    fields = [column.as_field() for column in columns]
    assert [field.metadata[b"description"] for field in fields] == [b"how it is", b"Another", b"a field of the answer"]
