import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.base.errors import DocumentFailed, UserMistake
from tasks.documents.document import Document
from tasks.documents.extract import extract
from tasks.documents.listing import list_documents
from tasks.documents.tables.column_schema import carried_schema


def write(path: Path, **columns: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.table(columns), path)
    else:
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def listed(root: Path | str, text: str = "body", **words: Any) -> list[Document]:
    return list(list_documents([str(root)], text_column=text, **words))


def ids(root: Path | str, **words: Any) -> list[str]:
    return [document.document_id for document in listed(root, **words)]


def carried(root: Path, *columns: str, **words: Any) -> list[dict[str, Any]]:
    return [dict(document.columns or {}) for document in listed(root, columns=columns, **words)]


def schema(root: Path, *columns: str, name: str | None = None) -> dict[str, str]:
    found = carried_schema([str(root)], text_column="body", id_column=name, columns=columns)
    return {field.name: str(field.type) for field in found}


def test_every_table_of_a_folder_is_read_in_name_order_and_its_rows_are_called_after_it(tmp_path: Path) -> None:
    write(tmp_path / "b/part-1.parquet", body=["3"])
    write(tmp_path / "b/part-0.jsonl", body=["1", "2"])
    (tmp_path / "a.csv").write_text("body\n0\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no table", encoding="utf-8")
    documents = listed(tmp_path)
    assert [document.text for document in documents] == ["0", "1", "2", "3"]
    assert [document.document_id for document in documents] == [
        "a.csv#0",
        "b/part-0.jsonl#0",
        "b/part-0.jsonl#1",
        "b/part-1.parquet#0",
    ]
    assert documents[-1].source == f"{(tmp_path / 'b/part-1.parquet').as_uri()}#row=0"
    assert ids(f"{tmp_path}/b/*.parquet") == ["part-1.parquet#0"]


def test_without_a_text_column_the_other_files_of_a_folder_are_the_documents(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", body=["0"])
    (tmp_path / "notes.txt").write_text("no table", encoding="utf-8")
    assert [document.document_id for document in list_documents([str(tmp_path)])] == ["a.parquet", "notes.txt"]


def test_what_writers_leave_beside_their_tables_is_passed_over(tmp_path: Path) -> None:
    for name in ("_temporary/0/part-0.parquet", "_metadata.parquet", ".hidden.parquet", "part-0.parquet"):
        write(tmp_path / name, body=["x"])
    (tmp_path / "_SUCCESS").touch()
    assert ids(tmp_path) == ["part-0.parquet#0"]


def test_a_folder_without_a_table_is_refused_where_a_text_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no table", encoding="utf-8")
    with pytest.raises(UserMistake) as refused:
        listed(tmp_path)
    assert str(refused.value).startswith(f"no table in {tmp_path}: --text-column goes with a table (.parquet, ")


def test_tables_without_rows_are_no_documents(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", body=pa.array([], pa.string()))
    with pytest.raises(UserMistake, match="no documents in .*that has rows"):
        listed(tmp_path)


def test_the_folders_of_a_partition_are_columns(tmp_path: Path) -> None:
    write(tmp_path / "year=2025/place=S%C3%A3o%20Paulo/part-0.parquet", body=["a"], n=[1])
    write(tmp_path / "year=2026/place=__HIVE_DEFAULT_PARTITION__/part-0.parquet", body=["b"], n=[2])
    assert schema(tmp_path, "*") == {"year": "int64", "place": "string", "n": "int64"}
    assert carried(tmp_path, "*") == [
        {"year": 2025, "place": "S\u00e3o Paulo", "n": 1},
        {"year": 2026, "place": None, "n": 2},
    ]
    assert ids(tmp_path, id_column="year") == ["2025", "2026"]
    assert [document.text for document in listed(tmp_path, text="place")] == ["S\u00e3o Paulo", ""]


def test_a_partition_is_a_number_only_where_all_its_values_are(tmp_path: Path) -> None:
    write(tmp_path / "month=03/a.parquet", body=["a"])
    assert carried(tmp_path, "month") == [{"month": 3}]
    write(tmp_path / "month=all/a.parquet", body=["b"])
    assert carried(tmp_path, "month") == [{"month": "03"}, {"month": "all"}]
    assert ids(tmp_path, id_column="month") == ["03", "all"]


def test_a_column_of_the_file_goes_before_one_of_its_folders(tmp_path: Path) -> None:
    write(tmp_path / "body=folder/a.parquet", body=["file"])
    assert [document.text for document in listed(tmp_path)] == ["file"]


def test_a_row_of_a_dataset_without_an_id_is_called_after_its_file(tmp_path: Path) -> None:
    write(tmp_path / "x/a.parquet", body=["a", "b", "c"], id=["1", None, "1"])
    documents = listed(tmp_path, id_column="id")
    assert [(document.document_id, document.trouble_kind) for document in documents[1:]] == [
        ("x/a.parquet#1", "no_id"),
        ("1#row=2", "duplicate_id"),
    ]


def test_one_identifier_in_the_same_row_of_many_files_still_names_each_row(tmp_path: Path) -> None:
    for name in "abc":
        write(tmp_path / f"{name}.parquet", body=[name], id=["same"])
    found = ids(tmp_path, id_column="id")
    assert found == ["same", "same#row=0", f"same#{(tmp_path / 'c.parquet').as_uri()}#row=0"]


def test_a_damaged_table_among_others_is_one_failed_document(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", body=["a"], n=[1])
    (tmp_path / "b.parquet").write_bytes(b"PAR1 no table PAR1")
    write(tmp_path / "c.parquet", body=["c"], n=[3])
    first, damaged, last = listed(tmp_path, columns=("*",))
    assert (first.text, first.columns, last.text, last.columns) == ("a", {"n": 1}, "c", {"n": 3})
    with pytest.raises(DocumentFailed, match="can't be read from row 0 on") as failed:
        extract(damaged)
    assert (damaged.document_id, failed.value.reason) == ("b.parquet#0", "damaged")


@pytest.mark.parametrize("names", [("a.parquet", "b.parquet"), ("b.parquet", "a.parquet"), ("b.jsonl", "a.parquet")])
def test_the_rows_of_a_table_without_the_text_column_fail_where_another_table_has_it(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    write(tmp_path / names[0], body=["a"])
    write(tmp_path / names[1], other=["b"])
    found = {document.document_id: document.trouble_kind for document in listed(tmp_path) if document.trouble}
    assert found == {f"{names[1]}#0": "no_text"}


def test_a_column_that_no_table_has_is_refused_with_those_there_are(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", x=["a"])
    write(tmp_path / "b.jsonl", y=["b"])
    with pytest.raises(UserMistake) as refused:
        listed(tmp_path)
    assert str(refused.value) == f"{tmp_path / 'a.parquet'}: no column 'body' (nor in 1 other table); it has x, y"


def test_the_rows_of_two_tables_given_by_hand_are_called_after_them(tmp_path: Path) -> None:
    tables = [str(write(tmp_path / name, body=["x"])) for name in ("a.parquet", "b.parquet")]
    found = [document.document_id for document in list_documents(tables, text_column="body")]
    assert found == ["a.parquet#0", "b.parquet#0"]
    with pytest.raises(UserMistake, match="two documents are called 'a.parquet#0'"):
        list(list_documents([tables[0], tables[0]], text_column="body"))


def test_carried_columns_have_the_types_that_all_files_agree_on(tmp_path: Path) -> None:
    day = date(2025, 1, 2)
    write(tmp_path / "a.parquet", body=["a"], n=pa.array([1], pa.int32()), mixed=[1], only=[True], day=[day])
    write(tmp_path / "b.parquet", body=["b"], n=pa.array([2**40]), mixed=["x"], tags=[["p", "q"]], day=[day])
    assert schema(tmp_path, "*") == {
        "n": "int64",
        "mixed": "string",
        "only": "bool",
        "day": "date32[day]",
        "tags": "list<item: string>",
    }
    assert carried(tmp_path, "*") == [
        {"n": 1, "mixed": "1", "only": True, "day": day, "tags": None},
        {"n": 2**40, "mixed": "x", "only": None, "day": day, "tags": ["p", "q"]},
    ]


def test_times_are_carried_to_the_microsecond_and_strings_and_lists_however_they_are_kept(tmp_path: Path) -> None:
    columns = {
        "at": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "UTC")),
        "word": pa.array(["w"]).dictionary_encode(),
        "long": pa.array(["l"], pa.large_string()),
        "deep": pa.array([{"at": 1_001}], pa.struct([("at", pa.timestamp("ns"))])),
        "view": pa.array([[1, 2]], pa.list_view(pa.int64())),
    }
    write(tmp_path / "a.parquet", body=["a"], **columns)
    found = schema(tmp_path, "*")
    assert found == {
        "at": "timestamp[us, tz=UTC]",
        "word": "string",
        "long": "string",
        "deep": "struct<at: timestamp[us]>",
        "view": "list<item: int64>",
    }
    (row,) = carried(tmp_path, "*")
    assert row["at"] == datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)
    assert (row["word"], row["long"], row["deep"]["at"].microsecond, row["view"]) == ("w", "l", 1, [1, 2])


def test_empty_objects_which_parquet_cannot_hold_are_carried_as_json(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", body=["a"], free=[{}], deep=[[{"k": {}, "n": 1}]], known=[{"k": 1}])
    assert schema(tmp_path, "*") == {"free": "string", "deep": "string", "known": "struct<k: int64>"}
    assert carried(tmp_path, "*") == [{"free": "{}", "deep": '[{"k": {}, "n": 1}]', "known": {"k": 1}}]


def test_the_id_column_is_carried_unless_it_is_called_as_ours(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", body=["a"], id=[7], document_id=["d"])
    assert schema(tmp_path, "*", name="id") == {"id": "int64", "document_id": "string"}
    assert schema(tmp_path, "*", name="document_id") == {"id": "int64"}
    assert carried(tmp_path, "id", id_column="id") == [{"id": 7}]


def test_an_unknown_column_to_carry_is_refused_with_those_there_are(tmp_path: Path) -> None:
    write(tmp_path / "year=2025/a.parquet", body=["a"], n=[1])
    with pytest.raises(UserMistake) as refused:
        listed(tmp_path, columns=("m",))
    assert str(refused.value) == "no column 'm' to carry; there are year, body, n"


def test_only_what_is_needed_of_parquet_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", body=["text"] * 100, other=[f"x{number}" * 1000 for number in range(100)])
    data = bytearray(path.read_bytes())
    column = pq.ParquetFile(path).metadata.row_group(0).column(1)
    start = column.dictionary_page_offset or column.data_page_offset
    data[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
    path.write_bytes(data)
    assert {document.text for document in listed(path)} == {"text"}


def test_the_types_of_json_lines_are_told_by_its_first_rows(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", body=["a", "b"], n=[1, 2.5], mixed=[1, "x"], deep=[{"k": 1}, None], none=[None, None])
    assert schema(tmp_path, "*") == {
        "n": "double",
        "mixed": "string",
        "deep": "struct<k: int64>",
        "none": "string",
    }
    assert carried(tmp_path, "*") == [
        {"n": 1, "mixed": "1", "deep": {"k": 1}, "none": None},
        {"n": 2.5, "mixed": "x", "deep": None, "none": None},
    ]


def test_the_types_of_csv_are_told_with_care(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "body,n,code,price,day,at,yes,mixed\na,1,007,1.5,2025-01-02,2025-01-02T03:04:05,true,1\nb,,08,2,,,,x\n",
        encoding="utf-8",
    )
    assert schema(tmp_path, "*") == {
        "n": "int64",
        "code": "string",
        "price": "double",
        "day": "date32[day]",
        "at": "timestamp[us]",
        "yes": "bool",
        "mixed": "string",
    }
    first, second = carried(tmp_path, "*")
    assert first == {
        "n": 1,
        "code": "007",
        "price": 1.5,
        "day": date(2025, 1, 2),
        "at": datetime(2025, 1, 2, 3, 4, 5),  # noqa: DTZ001 - as it is written
        "yes": True,
        "mixed": "1",
    }
    assert second == {"n": None, "code": "08", "price": 2.0, "day": None, "at": None, "yes": None, "mixed": "x"}


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.lists(st.integers(0, 3), max_size=2),
    st.dictionaries(st.sampled_from("kl"), st.text("ab", max_size=2), max_size=2),
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(st.lists(VALUES, min_size=1, max_size=6), min_size=1, max_size=3))
def test_whatever_is_carried_fits_the_schema_and_parquet(tmp_path: Path, files: list[list[Any]]) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jsonl").unlink(missing_ok=True)
    for number, values in enumerate(files):
        write(tmp_path / f"{number}.jsonl", body=["x"] * len(values), v=values)
    kinds = carried_schema([str(tmp_path)], text_column="body", id_column=None, columns=("v",))
    rows = carried(tmp_path, "v")
    assert len(rows) == sum(map(len, files))
    table = pa.Table.from_pylist(rows, kinds)
    assert len(table) == len(rows)
    pq.write_table(table, pa.BufferOutputStream())
