import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tasks.documents.document import Document
from tasks.documents.extract import extract
from tasks.documents.listing import list_documents
from tasks.errors import DocumentFailed, UserMistake

Rows = list[dict[str, Any]]
ROWS: Rows = [
    {"name": "first", "body": "One, two.\nThree.", "n": 1},
    {"name": "second/part", "body": '\u543e\u8f29\u306f "\u732b" \u3067\u3042\u308b', "n": 2},
    {"name": "third", "body": "", "n": 3},
]


def parquet(path: Path, rows: Rows) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def csv(path: Path, rows: Rows) -> Path:
    pa.csv.write_csv(pa.Table.from_pylist(rows), path.with_suffix(".csv"))
    return path.with_suffix(".csv")


def jsonl(path: Path, rows: Rows) -> Path:
    path = path.with_suffix(".jsonl")
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


Writer = Callable[[Path, Rows], Path]
WRITERS = pytest.mark.parametrize("write", [parquet, csv, jsonl])


def listed(path: Path, text: str = "body", name: str | None = "name") -> list[Document]:
    return list(list_documents([str(path)], text_column=text, id_column=name))


@WRITERS
def test_each_row_is_a_document_called_by_its_id_column(tmp_path: Path, write: Writer) -> None:
    path = write(tmp_path / "table", ROWS)
    documents = listed(path)
    assert [(document.document_id, document.text) for document in documents] == [
        (row["name"], row["body"]) for row in ROWS
    ]
    assert [document.source for document in documents] == [f"{path.as_uri()}#row={number}" for number in range(3)]
    assert [document.size for document in documents] == [len(row["body"].encode()) for row in ROWS]


@WRITERS
def test_without_an_id_column_the_row_number_is_the_identifier(tmp_path: Path, write: Writer) -> None:
    documents = listed(write(tmp_path / "table", ROWS), name=None)
    assert [document.document_id for document in documents] == ["0", "1", "2"]


@WRITERS
@pytest.mark.parametrize(("text", "name"), [("bodi", "name"), ("body", "nane")])
def test_a_missing_column_is_refused_with_those_there_are(tmp_path: Path, write: Writer, text: str, name: str) -> None:
    path = write(tmp_path / "table", ROWS)
    missing = text if text != "body" else name
    with pytest.raises(UserMistake) as refused:
        listed(path, text, name)
    assert str(refused.value) == f"{path}: no column {missing!r}; it has name, body, n"


@WRITERS
def test_two_rows_of_one_identifier_are_refused(tmp_path: Path, write: Writer) -> None:
    with pytest.raises(UserMistake, match=r"two documents are called 'first'.*--id-column"):
        listed(write(tmp_path / "table", [*ROWS, ROWS[0]]))


@WRITERS
def test_a_table_of_many_batches_loses_no_row(tmp_path: Path, write: Writer) -> None:
    rows = [{"name": f"row-{number}", "body": f"The text of {number}.\nA line more. " * 30} for number in range(5_000)]
    documents = listed(write(tmp_path / "table", rows))
    assert [(document.document_id, document.text) for document in documents] == [
        (row["name"], row["body"]) for row in rows
    ]


@pytest.mark.parametrize("write", [parquet, jsonl])
@pytest.mark.parametrize("value", [None, 7])
def test_a_row_whose_text_is_no_string_fails_by_name_and_is_not_dropped(
    tmp_path: Path, write: Writer, value: object
) -> None:
    (document,) = listed(write(tmp_path / "table", [{"name": "odd", "body": value}]))
    with pytest.raises(DocumentFailed) as failed:
        extract(document)
    assert (document.document_id, failed.value.reason) == ("odd", "empty")


def test_a_number_in_the_id_column_of_parquet_is_its_digits(tmp_path: Path) -> None:
    assert [document.document_id for document in listed(parquet(tmp_path / "table", ROWS), name="n")] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.parquet", b"PAR1 this is no Parquet file PAR1"),
        ("empty.parquet", b""),
        ("empty.csv", b""),
        ("ragged.csv", b"name,body\na,b\nc\n"),
        ("latin.csv", b"name,body\na,caf\xe9\n"),
        ("broken.jsonl", b'{"name": "a", "body": "b"}\n{"name": \n'),
        ("list.jsonl", b"[1, 2]\n"),
        ("latin.jsonl", b'{"name": "a", "body": "caf\xe9"}\n'),
    ],
)
def test_a_broken_table_is_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserMistake) as refused:
        listed(path)
    assert str(refused.value).startswith(f"{path}: ")


def test_a_broken_line_of_jsonl_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text('{"body": "a"}\n\nnot json\n', encoding="utf-8")
    with pytest.raises(UserMistake, match="line 3 isn't JSON"):
        listed(path, name=None)


def test_jsonl_may_begin_with_a_mark_and_hold_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text('\ufeff{"body": "a"}\n\n{"body": "b"}\n', encoding="utf-8")
    assert [document.text for document in listed(path, name=None)] == ["a", "b"]


def test_the_columns_of_jsonl_are_those_of_its_first_line_that_is_not_blank(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text('\n{"bodi": "a"}\n', encoding="utf-8")
    with pytest.raises(UserMistake) as refused:
        listed(path, name=None)
    assert str(refused.value) == f"{path}: no column 'body'; it has bodi"


@WRITERS
def test_a_row_without_a_value_for_its_id_is_refused_by_its_number(tmp_path: Path, write: Writer) -> None:
    path = write(tmp_path / "table", [ROWS[0], {"name": None, "body": "b"}])
    with pytest.raises(UserMistake) as refused:
        listed(path)
    assert str(refused.value).startswith(f"{path}: row 1 has no value in its id column")


def test_half_a_surrogate_pair_in_an_id_becomes_text_that_tables_hold(tmp_path: Path) -> None:
    rows = [{"name": "\ud800", "body": "a"}, {"name": "\ud801", "body": "b"}]
    documents = listed(jsonl(tmp_path / "table", rows))
    assert [document.document_id for document in documents] == ["\\ud800", "\\ud801"]


def test_a_later_line_of_jsonl_without_the_id_is_refused_rather_than_called_none(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "table", [{"name": "a", "body": "a"}, {"body": "b"}])
    with pytest.raises(UserMistake, match="no column 'name'"):
        listed(path)


def test_csv_text_may_hold_lines_quotes_and_words_that_mean_null(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text('name,body\na,"one\ntwo ""three"", four"\nb,NA\n', encoding="utf-8")
    assert [document.text for document in listed(path)] == ['one\ntwo "three", four', "NA"]


def test_csv_is_taken_as_it_is_written_and_not_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("name,body\n007,12\n08,1.50\n", encoding="utf-8")
    assert [(document.document_id, document.text) for document in listed(path)] == [("007", "12"), ("08", "1.50")]


def test_a_column_of_csv_may_hold_numbers_first_and_words_after_many_batches(tmp_path: Path) -> None:
    names = [*map(str, range(60_000)), "x1"]
    path = tmp_path / "table.csv"
    path.write_text("name,body\n" + "".join(f"{name},text of some length\n" for name in names), encoding="utf-8")
    assert [document.document_id for document in listed(path)] == names


def test_a_text_column_goes_only_with_a_table(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text", encoding="utf-8")
    with pytest.raises(UserMistake, match=r"--text-column goes with a table \(\.parquet, \.jsonl, \.csv\)"):
        listed(path)


def test_a_csv_cell_of_some_megabytes_is_a_document(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("id,text\na,short\nb," + "word " * 1_000_000 + "\n", encoding="utf-8")
    sizes = [document.size for document in list_documents([str(path)], text_column="text", id_column="id")]
    assert sizes == [5, 5_000_000]
