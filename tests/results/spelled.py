"""The types of the result tables' columns, as each reader calls them."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import duckdb
import polars as pl
import pyarrow as pa

from tasks.results.schemas import TIME

# A scanner's clock, as of a column that is joined.
LOCAL_TIME = pa.timestamp("us")


class Words(NamedTuple):
    """What a reader calls the types: `plain` ones by Arrow's, and those that are made of others."""

    plain: Mapping[pa.DataType, Any]
    lists: Callable[[Any], Any]
    vectors: Callable[[Any, int], Any]
    structs: Callable[[dict[str, Any]], Any]


def spelled(kind: pa.DataType, words: Words) -> Any:
    """Return a reader's own type for Arrow's."""
    if pa.types.is_struct(kind):
        return words.structs({field.name: spelled(field.type, words) for field in kind})
    if pa.types.is_fixed_size_list(kind):
        return words.vectors(spelled(kind.value_type, words), kind.list_size)
    if pa.types.is_list(kind):
        return words.lists(spelled(kind.value_type, words))
    return words.plain[kind]


POLARS = Words(
    {
        pa.string(): pl.String,
        pa.int64(): pl.Int64,
        pa.float64(): pl.Float64,
        pa.float32(): pl.Float32,
        pa.bool_(): pl.Boolean,
        pa.date32(): pl.Date,
        TIME: pl.Datetime("us", "UTC"),
        LOCAL_TIME: pl.Datetime("us"),
    },
    pl.List,
    pl.Array,
    pl.Struct,
)

DUCKDB = Words(
    {
        pa.string(): duckdb.sqltype("VARCHAR"),
        pa.int64(): duckdb.sqltype("BIGINT"),
        pa.float64(): duckdb.sqltype("DOUBLE"),
        pa.float32(): duckdb.sqltype("FLOAT"),
        pa.bool_(): duckdb.sqltype("BOOLEAN"),
        pa.date32(): duckdb.sqltype("DATE"),
        TIME: duckdb.sqltype("TIMESTAMP WITH TIME ZONE"),
        LOCAL_TIME: duckdb.sqltype("TIMESTAMP"),
    },
    duckdb.list_type,
    lambda kind, _: duckdb.list_type(kind),  # Parquet has no lists of one size: a cast to FLOAT[n] says it
    duckdb.struct_type,
)


def words_of_datasets() -> Words:
    """Return those of Hugging Face's `datasets`, which takes its settings from the environment as it is imported."""
    from datasets import List, Value  # noqa: PLC0415 - as said

    return Words(
        {
            pa.string(): Value("string"),
            pa.int64(): Value("int64"),
            pa.float64(): Value("float64"),
            pa.float32(): Value("float32"),
            pa.bool_(): Value("bool"),
            pa.date32(): Value("date32"),
            TIME: Value("timestamp[us, tz=UTC]"),
            LOCAL_TIME: Value("timestamp[us]"),
        },
        List,
        lambda kind, size: List(kind, length=size),
        dict,
    )
