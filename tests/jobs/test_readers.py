"""Every table, read as the users of each library would type it: the columns, their types and every value are there."""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import datasets
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from tasks.jobs.options import EmbedOptions, ExtractOptions
from tests.conftest import RunJob
from tests.jobs.invoices import SCHEMA, answer, number_in, schema_file, text_of
from tests.simulator import Settings, Simulator

Rows = list[dict[str, Any]]
TABLES = ("documents", "calls", "failures", "sections", "chunks")
DIMENSIONS, ROWS = 16, 40


@pytest.fixture
def tables(tmp_path: Path, provider: Simulator, run_job: RunJob) -> dict[str, Path]:
    """All tables of an extraction in two runs, with failures, joined and typed columns, and of an embedding."""
    source = tmp_path / "source"
    _write(source / "year=2025" / "a.parquet", range(ROWS), "once")
    provider.settings = Settings(context=8192, write=_wayward, poison={"no. 9 ": "http_500"})
    words = {"sources": (source,), "text_column": "body", "id_column": "name", "join": True}
    for title in ("once", "twice"):  # the second run replaces rows, and adds a part
        _write(source / "year=2026" / "b.parquet", range(ROWS - 5, ROWS + 10), title)
        schema, output = schema_file(tmp_path, SCHEMA), tmp_path / "extracted"
        extracted = run_job(flow="extract", kind=ExtractOptions, output=output, json_schema=schema, **words)
    embedded = run_job(flow="embed", kind=EmbedOptions, output=tmp_path / "embedded", **words)
    assert (extracted.code, embedded.code) == (3, 3)
    found = {f"extracted {table}": tmp_path / "extracted" / table for table in TABLES[:-1]}
    return found | {f"embedded {table}": tmp_path / "embedded" / table for table in TABLES}


def _write(path: Path, numbers: Iterable[int], title: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        "name": [f"{path.stem}{number}" for number in numbers],
        "body": [f"{text_of(number)}\fPage two of {number}." if number % 4 else text_of(number) for number in numbers],
        "title": [title if number % 3 else None for number in numbers],
        "price": pa.array([number / 4 for number in numbers], pa.float32()),
    }
    pq.write_table(pa.table(columns), path)


def _wayward(body: dict[str, Any]) -> str:
    number = number_in(body)
    return "I can't." if number == 7 else answer(number)


def written(folder: Path) -> Rows:
    """Return a table's rows, read part by part."""
    parts = sorted(folder.glob("*.parquet"))
    return _sorted([row for part in parts for row in pq.ParquetFile(part).read().to_pylist()])


def plain(value: Any) -> Any:
    """Return a value as Python's own, whichever library it comes from."""
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, np.generic):
        return plain(value.item())
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime):
        assert value.tzinfo is not None
        return (value.to_pydatetime() if isinstance(value, pd.Timestamp) else value).astimezone(UTC)
    return value


def _sorted(rows: Iterable[Mapping[str, Any]]) -> Rows:
    every = [{name: plain(value) for name, value in row.items()} for row in rows]
    return sorted(every, key=lambda row: (str(row["document_id"]), str(row.get("call_id")), str(row.get("position"))))


def assert_reads(tables: Mapping[str, Path], read: Callable[[Path], Iterable[Mapping[str, Any]]]) -> None:
    for name, folder in tables.items():
        wanted = written(folder)
        assert wanted, name
        assert _sorted(read(folder)) == wanted, name


def test_pyarrow(tables: dict[str, Path]) -> None:
    assert_reads(tables, lambda folder: ds.dataset(folder).to_table().to_pylist())
    names = [f"a{number}" for number in range(ROWS)] + [f"b{number}" for number in range(ROWS - 5, ROWS + 10)]
    documents = ds.dataset(tables["extracted documents"]).to_table()
    assert sorted(documents["document_id"].to_pylist()) == sorted(names)
    assert set(documents.filter(pa.compute.equal(documents["year"], 2026))["title"].to_pylist()) == {"twice", None}
    chunks = ds.dataset(tables["embedded chunks"])
    assert chunks.schema.field("embedding").type == pa.list_(pa.float32(), DIMENSIONS)
    assert all(field.metadata[b"description"] for field in chunks.schema)


def test_duckdb(tables: dict[str, Path]) -> None:
    with duckdb.connect() as connection:

        def read(folder: Path) -> Rows:
            found = connection.sql(f"from '{folder}/*.parquet'")
            return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

        assert_reads(tables, read)
        chunks = connection.read_parquet(f"{tables['embedded chunks']}/*.parquet")
        count, likeness = chunks.aggregate("count(*), sum(list_cosine_similarity(embedding, embedding))").fetchall()[0]
        assert likeness == pytest.approx(count, abs=1e-3)


def test_polars(tables: dict[str, Path]) -> None:
    assert_reads(tables, lambda folder: pl.read_parquet(folder / "*.parquet").to_dicts())
    chunks = pl.scan_parquet(tables["embedded chunks"] / "*.parquet")
    assert chunks.collect_schema()["embedding"] == pl.Array(pl.Float32, DIMENSIONS)
    documents = pl.scan_parquet(tables["extracted documents"] / "*.parquet").collect_schema()
    assert documents["finished_at"] == pl.Datetime("us", "UTC")
    assert documents["address"] == pl.Struct({"city": pl.String, "storey": pl.Int64})


def test_pandas(tables: dict[str, Path]) -> None:
    assert_reads(tables, lambda folder: pd.read_parquet(folder).to_dict("records"))
    vectors = np.stack(pd.read_parquet(tables["embedded chunks"])["embedding"].to_list())
    assert vectors.dtype == np.float32
    assert vectors.shape[1] == DIMENSIONS
    assert str(pd.read_parquet(tables["embedded calls"])["created_at"].dtype) == "datetime64[us, UTC]"


def test_hugging_face_datasets(tables: dict[str, Path], tmp_path: Path) -> None:
    def read(folder: Path) -> Any:
        return datasets.load_dataset(
            "parquet", data_files=f"{folder}/*.parquet", split="train", cache_dir=str(tmp_path / "cache")
        )

    assert_reads(tables, read)
    embedding = read(tables["embedded chunks"]).features["embedding"]
    assert (embedding.length, embedding.feature.dtype) == (DIMENSIONS, "float32")
