"""Result sets are read by whoever reads Parquet, each in its own words: every table, its types, its values."""

import hashlib
import socket
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.results.schemas import TABLES, TIME, chunks_schema
from tests.conftest import rows
from tests.results.made import MAKERS, SCANNED, Made, fields, provided
from tests.results.spelled import DUCKDB, POLARS, spelled, words_of_datasets
from tests.simulator import vector_of

DIMENSIONS = 16
LINES = pa.list_(pa.struct([("item", pa.string()), ("amount", pa.float64())]))
TYPED = {
    "year": pa.int64(),
    "id": pa.string(),
    "title": pa.string(),
    "price": pa.float32(),
    "scanned": pa.timestamp("us"),
    "number": pa.int64(),
    "customer": pa.string(),
    "total": pa.float64(),
    "paid": pa.bool_(),
    "issued": pa.date32(),
    "sent_at": TIME,
    "currency": pa.string(),
    "tags": pa.list_(pa.string()),
    "address": pa.struct([("city", pa.string()), ("storey", pa.int64())]),
    "discount": pa.float64(),
    "lines": LINES,
    "due_on": pa.date32(),
    "notes": pa.list_(pa.string()),
    "terms": pa.struct([("days", pa.int64())]),
    "free": pa.string(),
}


class Table(NamedTuple):
    """A table of a result set: its folder, the glob of its files, its schema, and its rows, file by file."""

    folder: Path
    glob: str
    schema: pa.Schema
    rows: list[dict[str, Any]]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    with provided(tmp_path_factory.mktemp("provider")):
        found = {name: make(tmp_path_factory.mktemp(name)) for name, make in MAKERS.items()}
    for made in found.values():
        for table in made.schemas:  # as while a part is written
            (made.path / table / ".part-000001.parquet.1").write_bytes(b"PAR1 half a file")
    return found


@pytest.fixture(params=MAKERS)
def made(request: pytest.FixtureRequest, sets: dict[str, Made]) -> Made:
    return sets[request.param]


@pytest.fixture
def tables(made: Made) -> list[Table]:
    """All tables of a result set; the documents are the first."""
    return [table_of(made, name) for name in made.schemas]


@pytest.fixture
def chunks(sets: dict[str, Made]) -> Table:
    return table_of(sets["embedded"], "chunks")


def table_of(made: Made, name: str) -> Table:
    folder = made.path / name
    return Table(folder, f"{folder}/*.parquet", made.schemas[name], rows(made.path, name))


def parts_of(table: Table) -> list[Path]:
    return sorted(table.folder.glob("*.parquet"))


@pytest.fixture
def datasets(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Hugging Face's `datasets`, on a machine without a network."""

    def refuse(*_: object) -> None:
        raise OSError("there is no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.getbasetemp() / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    return import_module("datasets")  # only now, for it reads the environment then


def test_the_sets_have_what_readers_stumble_over(sets: dict[str, Made]) -> None:
    for made in sets.values():
        files = {name: len(list((made.path / name).glob("*.parquet"))) for name in made.schemas}
        assert all(files.values())
        assert files["documents"] == (3 if made.failed else 2)
        assert {row["document_id"] for row in rows(made.path, "failures")} == made.failed
    assert set(sets["embedded"].schemas) == {*TABLES, "chunks"}
    assert rows(sets["summarized"].path, "sections")
    levels = {row["level"] for row in rows(sets["summarized"].path, "calls")}
    assert levels == {0, 1}


def test_pyarrow_reads_every_table_of_its_declared_schema(made: Made, tables: list[Table]) -> None:
    declared = TABLES | {"chunks": chunks_schema(DIMENSIONS)}
    for name, table in zip(made.schemas, tables, strict=True):
        found = pq.read_table(table.folder)
        assert described(found.schema) == described(table.schema)
        assert described(found.schema)[: len(declared[name])] == described(declared[name])
        assert all(pq.read_schema(part).equals(found.schema, check_metadata=True) for part in parts_of(table))
        assert found.to_pylist() == table.rows
    found = {row["document_id"]: row for row in tables[0].rows}
    assert {name: (row["content_sha256"], row["characters"]) for name, row in found.items()} == {
        name: (hashlib.sha256(text.encode()).hexdigest() if text else None, len(text))
        for name, text in made.texts.items()
    }
    assert {name for name, row in found.items() if row["status"] != "done"} == made.failed
    assert {name for name, row in found.items() if row["error"] is not None} == made.failed


def described(schema: pa.Schema) -> list[tuple[str, pa.DataType, dict[bytes, bytes]]]:
    return [(field.name, field.type, field.metadata) for field in schema]


def test_pyarrow_reads_the_fields_of_answers_and_the_joined_columns_as_they_were(sets: dict[str, Made]) -> None:
    made = sets["extracted"]
    found = pq.read_table(made.path / "documents").select(list(TYPED))
    assert dict(zip(found.schema.names, found.schema.types, strict=True)) == TYPED
    for row in found.to_pylist():
        number = int(row["id"])
        joined = {
            "year": 2025 if number < 6 else 2026,
            "id": f"{number:02d}",
            "title": f"Title {number % 2}",
            "price": number / 4 if number else None,
            "scanned": SCANNED,
        }
        nothing = dict.fromkeys(fields(number))
        assert row == joined | (nothing if row["id"] in made.failed else of_answer(number))


def of_answer(number: int) -> dict[str, Any]:
    """Return what is answered to an invoice, with the types of its columns."""
    told = fields(number)
    due = told["due_on"]
    return told | {
        "issued": date.fromisoformat(told["issued"]),
        "sent_at": datetime.fromisoformat(told["sent_at"]).astimezone(UTC),
        "due_on": due and date.fromisoformat(due),
        "free": f'{{"of": {{"any": [{number}]}}}}',
    }


def test_pyarrow_takes_the_vectors_as_a_matrix_without_a_copy(sets: dict[str, Made], chunks: Table) -> None:
    column = pq.read_table(chunks.folder)["embedding"]
    matrix = np.vstack(
        [chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, DIMENSIONS) for chunk in column.chunks]
    )
    assert_vectors(matrix, chunks)
    texts = sets["embedded"].texts
    assert {row["document_id"] for row in chunks.rows} == texts.keys() - sets["embedded"].failed
    for row in chunks.rows:
        assert row["text"] == texts[row["document_id"]][row["start_char"] : row["end_char"]]


def assert_vectors(matrix: np.ndarray[Any, Any], chunks: Table) -> None:
    """All vectors are those of their texts, of 32-bit floats."""
    assert (matrix.dtype, matrix.shape) == (np.float32, (len(chunks.rows), DIMENSIONS))
    assert np.array_equal(matrix, np.stack([vector_of(row["text"], DIMENSIONS) for row in chunks.rows]))


def test_pandas_reads_every_table(tables: list[Table]) -> None:
    for table in tables:
        frame = pd.read_parquet(table.folder)
        assert list(frame.columns) == table.schema.names
        assert_dtypes(frame, table)
        assert as_python(frame.to_dict("records")) == table.rows
        by_glob = pd.concat(map(pd.read_parquet, parts_of(table)), ignore_index=True)
        assert list(by_glob.columns) == table.schema.names
        assert as_python(by_glob.to_dict("records")) == table.rows
        exact = pd.read_parquet(table.folder, dtype_backend="pyarrow")
        assert exact.dtypes.to_dict() == {field.name: pd.ArrowDtype(field.type) for field in table.schema}
        assert exact.to_dict("records") == table.rows


def assert_dtypes(frame: pd.DataFrame, table: Table) -> None:
    """Times know their zone and texts are strings, without anything being said."""
    for field in table.schema:
        dtype = frame[field.name].dtype
        if field.type == TIME:
            assert dtype == pd.DatetimeTZDtype("us", "UTC")
        elif field.type == pa.string():
            assert isinstance(dtype, pd.StringDtype)
        elif field.type == pa.int64():
            # pandas' own integers have no null.
            assert dtype == ("float64" if frame[field.name].isna().any() else "int64")


def as_python(value: Any) -> Any:
    """Return what pandas holds as Python's own: NaN, which is its null, as None."""
    if isinstance(value, list | np.ndarray):
        return [as_python(one) for one in value]
    if isinstance(value, dict):
        return {name: as_python(one) for name, one in value.items()}
    return None if pd.isna(value) else value


def test_pandas_takes_the_vectors(chunks: Table) -> None:
    assert_vectors(np.stack(pd.read_parquet(chunks.folder)["embedding"]), chunks)


def test_polars_reads_every_table(tables: list[Table]) -> None:
    for table in tables:
        frame = pl.read_parquet(table.glob)
        assert frame.schema == {field.name: spelled(field.type, POLARS) for field in table.schema}
        assert frame.to_dicts() == table.rows
        lazy = pl.scan_parquet(table.glob).filter(pl.col("document_id").is_not_null())
        assert lazy.collect().to_dicts() == table.rows


def test_polars_takes_the_vectors(chunks: Table) -> None:
    assert_vectors(pl.read_parquet(chunks.glob)["embedding"].to_numpy(), chunks)


def test_duckdb_reads_every_table(tables: list[Table]) -> None:
    with duckdb.connect() as connection:
        for table in tables:
            relation = connection.sql(f"from '{table.glob}'")
            assert relation.columns == table.schema.names
            assert relation.types == [spelled(field.type, DUCKDB) for field in table.schema]
            assert [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()] == table.rows


def test_duckdb_takes_the_vectors(chunks: Table) -> None:
    sql = f"select embedding::FLOAT[{DIMENSIONS}] as vector from '{chunks.glob}'"
    with duckdb.connect() as connection:
        assert_vectors(np.stack(connection.sql(sql).fetchnumpy()["vector"]), chunks)
        near = f"select max(array_distance(vector, vector)) from ({sql})"
        assert connection.sql(near).fetchall() == [(0.0,)]


def test_hugging_face_s_datasets_reads_every_table(tables: list[Table], datasets: ModuleType, tmp_path: Path) -> None:
    words = words_of_datasets()
    for table in tables:
        named = {"data_files": table.glob, "split": "train", "cache_dir": str(tmp_path)}
        assert list(datasets.load_dataset("parquet", streaming=True, **named)) == table.rows
        if table.rows:  # it refuses a table without any, whatever its files, unless it streams
            found = datasets.load_dataset("parquet", **named)
            assert found.features == {field.name: spelled(field.type, words) for field in table.schema}
            assert found.to_list() == table.rows


def test_hugging_face_s_datasets_takes_the_vectors(chunks: Table, datasets: ModuleType, tmp_path: Path) -> None:
    found = datasets.load_dataset("parquet", data_files=chunks.glob, split="train", cache_dir=str(tmp_path))
    assert_vectors(found.with_format("numpy")[:]["embedding"], chunks)


def test_a_table_of_failures_without_any_is_read_as_one_without_rows(sets: dict[str, Made]) -> None:
    table = table_of(sets["spotless"], "failures")
    assert table.rows == []
    with duckdb.connect() as connection:
        sql = f"select error_kind, count(*) from '{table.glob}' group by all"
        assert connection.sql(sql).fetchall() == []
    assert pl.scan_parquet(table.glob).group_by("error_kind").len().collect().is_empty()
    assert pd.read_parquet(table.folder).groupby("error_kind").size().empty
    assert pq.read_table(table.folder).group_by("error_kind").aggregate([]).num_rows == 0
