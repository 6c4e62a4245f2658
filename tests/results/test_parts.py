"""Result files are there whole or not at all, and hold one row a document at every instant."""

import errno
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from tasks.base.errors import StorageFailed, UserMistake
from tasks.results.footers import part_name
from tasks.results.location import folder_at
from tasks.results.parts import create_tables, write_part
from tasks.results.schemas import TABLES
from tests.conftest import rows


def example(kind: pa.DataType) -> Any:
    """Return a value of a column's type."""
    if pa.types.is_timestamp(kind):
        return datetime(2026, 11, 24, 12, tzinfo=UTC)
    if pa.types.is_boolean(kind):
        return False
    if pa.types.is_floating(kind):
        return 0.5
    return 3 if pa.types.is_integer(kind) else "word"


def row(table: str, document_id: str, **values: Any) -> dict[str, Any]:
    return {field.name: example(field.type) for field in TABLES[table]} | {"document_id": document_id} | values


def write(
    output: Path, part: int, names: list[str], words: str = "first", *, calls: int = 2, failures: int = 1
) -> None:
    tables = {
        "documents": [row("documents", name, output=words) for name in names],
        "calls": [row("calls", name, position=number, output=words) for name in names for number in range(calls)],
        "failures": [row("failures", name, error=words) for name in names for _ in range(failures)],
        "sections": [row("sections", name) for name in names],
    }
    write_part(folder_at(str(output)), part, names, tables)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "out"
    create_tables(folder_at(str(path)))
    return path


@pytest.mark.parametrize("table", TABLES)
def test_every_field_says_what_it_holds_in_the_file_too(output: Path, table: str) -> None:
    write(output, 1, ["a"])
    for part in (0, 1):
        schema = pq.read_schema(output / part_name(table, part))
        assert schema.names == TABLES[table].names
        for field in schema:
            assert field.metadata is not None, field.name
            assert len(field.metadata[b"description"]) > 3, field.name


COLUMNS = {
    "documents": "document_id source content_sha256 job_id status output model provider chunks calls characters "
    "covered_characters prompt_tokens completion_tokens cost_usd error_kind error finished_at",
    "calls": "call_id document_id kind stage level position start_char end_char model provider served_by prompt_tokens "
    "completion_tokens cost_usd latency_ms attempts finish_reason output reused created_at error_kind",
    "failures": "document_id call_id stage position model provider error_kind error http_status attempts failed_at",
    "sections": "document_id position page section start_char end_char unread",
}


@pytest.mark.parametrize("table", TABLES)
def test_the_columns_are_those_of_the_contract(table: str) -> None:
    assert TABLES[table].names == COLUMNS[table].split()


@pytest.mark.parametrize("table", TABLES)
def test_duckdb_and_pyarrow_read_every_table_from_the_start(output: Path, table: str) -> None:
    def counted() -> tuple[int, int]:
        relation = duckdb.sql(f"select count(*) from '{output}/{table}/*.parquet'")
        assert relation is not None
        return int(relation.fetchall()[0][0]), ds.dataset(list((output / table).glob("*.parquet"))).count_rows()

    assert counted() == (0, 0)
    write(output, 1, ["a", "b"])
    write(output, 2, ["c"])
    number = {"documents": 3, "calls": 6, "failures": 3, "sections": 3}[table]
    assert counted() == (number, number)


def test_values_come_back_as_they_were_written(output: Path) -> None:
    write(output, 1, ["ä/日本.txt"])
    (found,) = rows(output, "documents")
    assert found == row("documents", "ä/日本.txt", output="first")


def test_files_are_compressed_with_zstd(output: Path) -> None:
    write(output, 1, ["a"])
    meta = pq.ParquetFile(output / part_name("documents", 1)).metadata
    assert meta.row_group(0).column(0).compression == "ZSTD"


def test_a_part_without_rows_has_no_row_group(output: Path) -> None:
    def groups() -> list[int]:
        return [pq.read_metadata(output / part_name("failures", part)).num_row_groups for part in (0, 1)]

    write(output, 1, ["a"])
    assert groups() == [0, 1]
    write(output, 1, ["a"], failures=0)
    assert groups() == [0, 0]
    assert pq.read_schema(output / part_name("failures", 1)).equals(TABLES["failures"], check_metadata=True)


def test_the_rows_of_a_changed_document_take_the_old_ones_place(output: Path) -> None:
    write(output, 1, ["a", "b", "c"])
    write(output, 1, ["b"], "second", calls=1, failures=0)
    got = {found["document_id"]: found["output"] for found in rows(output, "documents")}
    assert got == {"a": "first", "b": "second", "c": "first"}
    assert len(rows(output, "documents")) == 3
    assert sorted(one["document_id"] for one in rows(output, "calls")) == ["a", "a", "b", "c", "c"]
    assert sorted(one["document_id"] for one in rows(output, "failures")) == ["a", "c"]


def test_writing_the_same_documents_again_changes_nothing(output: Path) -> None:
    write(output, 1, ["a", "b"])
    before = {table: rows(output, table) for table in TABLES}
    write(output, 1, ["a", "b"])
    assert {table: rows(output, table) for table in TABLES} == before


def test_a_reader_meanwhile_finds_exactly_one_row_a_document(output: Path) -> None:
    names = [f"d{number}" for number in range(20)]
    write(output, 1, names)
    ended, wrong, looks = threading.Event(), list[str](), [0]

    def read() -> None:
        while not ended.is_set():
            found = [one["document_id"] for one in rows(output, "documents")]
            looks[0] += 1
            if sorted(found) != sorted(names):
                wrong.append(f"{len(found)} rows")

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        write(output, 1, names[number % 7 :], f"round {number}")
    ended.set()
    reader.join()
    assert looks[0] > 5
    assert wrong == []


Break = Callable[[pytest.MonkeyPatch], None]


def full_while_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    write = pq.ParquetWriter.write_table

    def write_half(writer: pq.ParquetWriter, table: pa.Table) -> None:
        write(writer, table)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq.ParquetWriter, "write_table", write_half)


def full_while_flushing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", refuse)


def refused_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> Path:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "replace", refuse)


@pytest.mark.parametrize("break_it", [full_while_writing, full_while_flushing, refused_the_name])
def test_a_disk_that_refuses_leaves_what_was_there_and_no_rubbish(
    output: Path, monkeypatch: pytest.MonkeyPatch, break_it: Break
) -> None:
    write(output, 1, ["a", "b"])
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    with monkeypatch.context() as broken:
        break_it(broken)
        with pytest.raises(StorageFailed, match=r"part-000001\.parquet can't be written.*free the disk"):
            write(output, 1, ["b", "c"], "second")
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before
    write(output, 1, ["b", "c"], "second")
    assert len(rows(output, "documents")) == 3


def test_a_result_folder_that_went_away_pauses_with_its_name(output: Path) -> None:
    folder = output / "calls"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_text("in the way", encoding="utf-8")
    with pytest.raises(StorageFailed, match="calls"):
        write(output, 1, ["a"])
    assert rows(output, "documents") == []


def test_an_output_that_is_a_file_is_the_users_mistake(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(UserMistake, match="--output"):
        create_tables(folder_at(str(path)))
    assert path.read_text(encoding="utf-8") == "mine"


def test_tables_that_are_there_are_kept(output: Path) -> None:
    write(output, 1, ["a"])
    create_tables(folder_at(str(output)))
    assert len(rows(output, "documents")) == 1
