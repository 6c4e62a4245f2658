import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.base.errors import DocumentFailed, UserMistake
from tasks.documents.document import Document
from tasks.documents.extract import extract
from tasks.documents.listing import list_documents, list_sizes

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
    documents = list(list_documents([str(path)], text_column=text, id_column=name))
    assert list(list_sizes([str(path)], text_column=text)) == [document.size for document in documents]
    return documents


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


def fates(documents: list[Document]) -> list[tuple[str, str]]:
    """What each document is called, and its text, or the reason why it has none."""
    found = []
    for document in documents:
        try:
            found.append((document.document_id, extract(document).text))
        except DocumentFailed as failed:
            found.append((document.document_id, failed.reason))
    return found


@WRITERS
def test_of_rows_of_one_identifier_the_later_ones_fail_by_names_of_their_own(tmp_path: Path, write: Writer) -> None:
    rows = [{"name": name, "body": f"text {number}"} for number, name in enumerate("abaacb")]
    documents = listed(write(tmp_path / "table", rows))
    assert fates(documents) == [
        ("a", "text 0"),
        ("b", "text 1"),
        ("a#row=2", "duplicate_id"),
        ("a#row=3", "duplicate_id"),
        ("c", "text 4"),
        ("b#row=5", "duplicate_id"),
    ]
    assert documents[2].trouble == "another row is called 'a', too: give an --id-column of unique values"


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(st.sampled_from([None, "", "a", "b", "a#row=2", "#1"]), max_size=12),
    write=st.sampled_from([parquet, jsonl]),
)
def test_whatever_the_ids_are_each_row_is_one_document_of_a_unique_name(
    tmp_path: Path, names: list[str | None], write: Writer
) -> None:
    rows: Rows = [{"name": name, "body": "x"} for name in ["first", *names]]
    path = write(tmp_path / "table", rows)
    documents = listed(path)
    assert len({document.document_id for document in documents}) == len(documents) == len(rows)
    assert [document.source for document in documents] == [f"{path.as_uri()}#row={n}" for n in range(len(rows))]
    assert documents == listed(path)
    first_of = {name: number for number, name in reversed(list(enumerate(["first", *names]))) if name}
    sound = {number for number, document in enumerate(documents) if document.trouble is None}
    assert sound <= set(first_of.values())


@WRITERS
def test_a_table_of_many_batches_loses_no_row(tmp_path: Path, write: Writer) -> None:
    rows = [{"name": f"row-{number}", "body": f"The text of {number}.\nA line more. " * 30} for number in range(5_000)]
    documents = listed(write(tmp_path / "table", rows))
    assert [(document.document_id, document.text) for document in documents] == [
        (row["name"], row["body"]) for row in rows
    ]


@pytest.mark.parametrize("write", [parquet, jsonl])
@pytest.mark.parametrize("value", [None, 7, True, 1.5, ["a"], {"text": "a"}])
def test_a_row_whose_text_is_no_string_fails_by_name_and_is_not_dropped(
    tmp_path: Path, write: Writer, value: object
) -> None:
    (document,) = listed(write(tmp_path / "table", [{"name": "odd", "body": value}]))
    with pytest.raises(DocumentFailed) as failed:
        extract(document)
    assert (document.document_id, failed.value.reason) == ("odd", "no_text")


def test_a_number_in_the_id_column_of_parquet_is_its_digits(tmp_path: Path) -> None:
    assert [document.document_id for document in listed(parquet(tmp_path / "table", ROWS), name="n")] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("broken.parquet", b"PAR1 this is no Parquet file PAR1"),
        ("empty.parquet", b""),
        ("empty.csv", b""),
        ("empty.jsonl", b""),
        ("blank.csv", b"\n\n"),
        ("list.jsonl", b"[1, 2]\n"),
        ("binary.csv", b"name,body\na,\0\1\0\0\n"),
        ("unpacked.csv.gz", b"name,body\na,b\n"),
    ],
)
def test_a_broken_table_is_refused_by_name(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserMistake) as refused:
        listed(path)
    assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "content", "trouble"),
    [
        ("t.jsonl", b'{"name": "a", "body": "A"}\n{"name": \n{"name": "c", "body": "C"}\n', "the line isn't JSON"),
        ("t.jsonl", b'{"name": "a", "body": "A"}\n[1]\n{"name": "c", "body": "C"}\n', "the line isn't a JSON object"),
        ("t.csv", b"name,body\na,A\nb\nc,C\n", "it has 1 cells, not 2"),
        ("t.csv", b"name,body\na,A\nb,B,b\nc,C\n", "it has 3 cells, not 2"),
        ("t.csv", b'name,body\na,A\nb,"B"b\nc,C\n', "it isn't CSV"),
        ("t.csv", b"name,body\na,A\nb,\xff" + "\u00e9".encode() * 20 + b"\nc,C\n", "don't fit the file's encoding"),
    ],
)
def test_a_row_that_cannot_be_read_fails_by_its_number_and_no_other_does(
    tmp_path: Path, name: str, content: bytes, trouble: str
) -> None:
    (tmp_path / name).write_bytes(content)
    documents = listed(tmp_path / name)
    assert fates(documents) == [("a", "A"), ("#1", "damaged"), ("c", "C")]
    assert trouble in str(documents[1].trouble)
    assert [number for number, _ in fates(listed(tmp_path / name, name=None))] == ["0", "1", "2"]


def test_a_quote_that_is_never_closed_is_told_by_the_row_where_it_opens(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('name,body\na,A\nb,"B\nc,C\n', encoding="utf-8")
    documents = listed(tmp_path / "t.csv")
    assert fates(documents) == [("a", "A"), ("#1", "damaged")]
    assert documents[1].trouble == "a quote in it is never closed, so that it takes all that follows"


def test_a_text_of_parquet_that_is_not_utf8_fails_alone(tmp_path: Path) -> None:
    data = pa.array([b"good", b"caf\xe9", b"fine"])
    text = pa.Array.from_buffers(pa.string(), 3, data.buffers())
    pq.write_table(pa.table({"name": ["a", "b", "c"], "body": text}), tmp_path / "t.parquet")
    assert fates(listed(tmp_path / "t.parquet")) == [("a", "good"), ("#1", "damaged"), ("c", "fine")]


@pytest.mark.parametrize("ending", [".csv.gz", ".jsonl.gz"])
def test_a_table_that_is_cut_off_gives_what_there_is_and_fails_for_the_rest(tmp_path: Path, ending: str) -> None:
    noise = random.Random(1)
    rows = [{"name": f"n{number}", "body": noise.randbytes(400).hex()} for number in range(9_000)]
    whole = (csv if "csv" in ending else jsonl)(tmp_path / "t", rows).read_bytes()
    path = tmp_path / f"cut{ending}"
    path.write_bytes(gzip.compress(whole, 1)[: len(whole) // 4])
    *before, last = listed(path)
    assert [document.document_id for document in before] == [row["name"] for row in rows[: len(before)]]
    assert len(before) > 1_000
    assert fates([last]) == [(f"#{len(before)}", "damaged")]
    assert f"can't be read from row {len(before)} on" in str(last.trouble)


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
@pytest.mark.parametrize("value", [None, ""])
def test_a_row_without_a_value_for_its_id_fails_by_its_number(tmp_path: Path, write: Writer, value: str | None) -> None:
    path = write(tmp_path / "table", [ROWS[0], {"name": value, "body": "b"}, ROWS[1]])
    documents = listed(path)
    assert [document.document_id for document in documents] == ["first", "#1", "second/part"]
    assert fates(documents)[1] == ("#1", "no_id")
    assert documents[1].trouble == "row 1 has no value in its id column: give each row one"


def test_half_a_surrogate_pair_in_an_id_becomes_text_that_tables_hold(tmp_path: Path) -> None:
    rows = [{"name": "\ud800", "body": "a"}, {"name": "\ud801", "body": "b"}]
    documents = listed(jsonl(tmp_path / "table", rows))
    assert [document.document_id for document in documents] == ["\\ud800", "\\ud801"]


def test_a_later_line_of_jsonl_without_the_id_fails_rather_than_being_called_none(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "table", [{"name": "a", "body": "a"}, {"body": "b"}])
    assert fates(listed(path)) == [("a", "a"), ("#1", "no_id")]


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
    with pytest.raises(UserMistake, match=r"--text-column goes with a table \(\.parquet, \.jsonl, "):
        listed(path)


def test_a_csv_cell_of_some_megabytes_is_a_document(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("id,text\na,short\nb," + "word " * 1_000_000 + "\n", encoding="utf-8")
    sizes = [document.size for document in list_documents([str(path)], text_column="text", id_column="id")]
    assert sizes == [5, 5_000_000]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
def test_a_text_is_read_however_parquet_keeps_strings(tmp_path: Path, kind: pa.DataType) -> None:
    texts = pa.array(["one", None, "caf\u00e9", "one"])
    column = texts.dictionary_encode() if pa.types.is_dictionary(kind) else texts.cast(kind)
    pq.write_table(pa.table({"name": column.slice(0, 4), "body": column}), tmp_path / "t.parquet")
    documents = list(list_documents([str(tmp_path / "t.parquet")], text_column="body"))
    assert [(document.text, document.size) for document in documents] == [
        ("one", 3),
        ("", 0),
        ("caf\u00e9", 5),
        ("one", 3),
    ]


FRENCH: str = json.loads(Path(__file__).with_name("languages.json").read_text(encoding="utf-8"))["French"][0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_of_any_encoding_and_separator_is_read(tmp_path: Path, encoding: str, separator: str) -> None:
    rows = [(f"n{number}", f'"{FRENCH}{separator} ""{number}"""') for number in range(50)]
    text = "".join(separator.join(row) + "\r\n" for row in [("name", "body"), *rows])
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    assert [(document.document_id, document.text) for document in listed(tmp_path / "t.csv")] == [
        (f"n{number}", f'{FRENCH}{separator} "{number}"') for number in range(50)
    ]


def test_the_encoding_of_csv_may_show_itself_megabytes_after_its_beginning(tmp_path: Path) -> None:
    plain = "".join(f"n{number},plain words and no more of them\n" for number in range(60_000))
    (tmp_path / "t.csv").write_bytes(f"name,body\n{plain}last,{FRENCH}\n".encode("cp1252"))
    documents = listed(tmp_path / "t.csv")
    assert len(documents) == 60_001
    assert documents[-1].text == FRENCH


def test_the_separator_is_that_which_gives_the_columns_wanted(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("name;body;a, b, c, d\nx;y;z\n", encoding="utf-8")
    assert [document.text for document in listed(tmp_path / "t.csv")] == ["y"]


@pytest.mark.parametrize("ending", [".jsonl.gz", ".ndjson", ".csv.gz", ".tsv", ".JSONL"])
def test_other_endings_and_packed_tables_are_read(tmp_path: Path, ending: str) -> None:
    made = (jsonl if "json" in ending.lower() else csv)(tmp_path / "made", ROWS).read_bytes()
    path = tmp_path / f"t{ending}"
    path.write_bytes(gzip.compress(made) if ending.endswith(".gz") else made)
    assert [document.text for document in listed(path)] == [row["body"] for row in ROWS]


def test_memory_does_not_grow_with_a_row_group_of_parquet(tmp_path: Path) -> None:
    text = pa.array(random.Random(1).randbytes(1_000).hex() + str(number) for number in range(60_000))
    pq.write_table(pa.table({"body": text}), tmp_path / "t.parquet", row_group_size=60_000, use_dictionary=False)
    before, most = pa.total_allocated_bytes(), 0
    for document in list_documents([str(tmp_path / "t.parquet")], text_column="body"):
        assert document.size > 2_000
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 60_000_000  # of 120 MB


A, B, C = ("a", "A"), ("b", "B"), ("c", "C")
LINES = ['{"name": "a", "body": "A"}', '{"name": "b", "body": "B"}', '{"name": "c", "body": "C"}']


def bad(number: int, reason: str = "damaged", name: str | None = None) -> tuple[str, str]:
    return (name or f"#{number}", reason)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("\n".join(LINES), [A, B, C]),
        ('{"name": "x", "title": "no body"}\n' + LINES[0], [bad(0, "no_text", "x"), A]),
        ('{"title": "neither"}\n' + LINES[0], [bad(0, "no_id"), A]),
        ('{"name": "x", "body": null}\n' + LINES[0], [bad(0, "no_text", "x"), A]),
        ('{"name": "x", "body": {"text": "nested"}}\n' + LINES[0], [bad(0, "no_text", "x"), A]),
        ('{"name": "x", "body": ["a"]}\n' + LINES[0], [bad(0, "no_text", "x"), A]),
        ('{"name": "x", "body": ""}\n' + LINES[0], [bad(0, "empty", "x"), A]),
        ("null\n" + LINES[0], [bad(0), A]),
        ('"a string"\n[1, 2]\n7\n' + LINES[0], [bad(0), bad(1), bad(2), A]),
        ("{}\n" + LINES[0], [bad(0, "no_id"), A]),
        ("\n \n\t\n" + LINES[0] + "\n\n" + LINES[1] + "\n\n", [A, B]),
        ("\ufeff" + LINES[0], [A]),
        ("\r\n".join(LINES) + "\r\n", [A, B, C]),
        (",\n".join(LINES), [A, B, C]),
        (LINES[0] + '\n{"name": "b", "body": "B",}\n' + LINES[2], [A, bad(1), C]),
        (LINES[0] + '\n{"name": "b", "bo\n' + LINES[2], [A, bad(1), C]),
        ('{"name": "a", "body": "A", "n": NaN}\n{"name": "b", "body": "B", "n": -Infinity}', [A, B]),
        ('{"name": "a", "body": "first", "body": "A"}', [A]),
        ('{"name": "a", "body": "A", "n": ' + "9" * 400 + "}", [A]),
        ('{"name": "a", "body": "A", "n": 1e400}', [A]),
        ('{"name": "a\0", "body": "A"}', [("a\ufffd", "A")]),
        ("[" + ", ".join(LINES) + "]", [A, B, C]),
        ("[\n" + ",\n".join(LINES) + "\n]\n", [A, B, C]),
        ("[" + ",\n".join(LINES) + "]", [A, B, C]),
        (json.dumps([json.loads(line) for line in LINES], indent=2), [A, B, C]),
        ("\n".join(json.dumps(json.loads(line), indent=2) for line in LINES), [A, B, C]),
        ('[{"name": "a", "body": "A", "x": {"}": "{", "y": [{}]}}, {"name": "b", "body": "B"}]', [A, B]),
        ("[" + LINES[0] + ', {"name": "b", "body" "B"}, ' + LINES[2] + "]", [A, bad(1), C]),
    ],
)
def test_whatever_json_lines_hold_each_row_that_can_be_read_is(
    tmp_path: Path, content: str, expected: list[tuple[str, str]]
) -> None:
    (tmp_path / "t.jsonl").write_text(content, encoding="utf-8", newline="")
    assert fates(listed(tmp_path / "t.jsonl")) == expected


@pytest.mark.parametrize("first", ['{"title": "x"}\n', "no JSON\n"])
def test_the_text_column_may_come_after_thousands_of_rows(tmp_path: Path, first: str) -> None:
    (tmp_path / "t.jsonl").write_text(first * 5_000 + LINES[0] + "\n", encoding="utf-8")
    documents = listed(tmp_path / "t.jsonl")
    assert (len(documents), fates(documents[-1:])) == (5_001, [A])
    assert {document.trouble_kind for document in documents[:-1]} == {"no_id" if "title" in first else "damaged"}


def test_a_row_that_lacks_the_text_column_fails_and_the_others_are_read() -> None:
    path = Path(__file__).parent / "tables" / "first_row_lacks_text.jsonl"
    first, *others = listed(path, name="id")
    assert (first.document_id, fates([first])) == ("1", [("1", "no_text")])
    assert first.trouble == "row 0 holds no text in its column 'body'"
    assert fates(others) == [(str(number), f"text {number}") for number in range(2, len(others) + 2)]


def test_only_a_column_that_no_row_has_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n' * 3_000 + '{"b": 2}\n', encoding="utf-8")
    with pytest.raises(UserMistake) as refused:
        listed(path)
    assert str(refused.value) == f"{path}: no column 'body'; it has a, b"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("name,body\na,A\nb,B\n", [A, B]),
        ("name,body\nx,\na,A\n", [bad(0, "empty", "x"), A]),
        ("name,body\na,A\nb\nc,C\n", [A, bad(1), C]),
        ("name,body\na,A\nb,B,more\nc,C\n", [A, bad(1), C]),
        ("name,body\na,A\nb,B\0\nc,C\n", [A, ("b", "B\ufffd"), C]),
        ("name,body\na\0,A\nb,B\nc,C\n", [("a\ufffd", "A"), B, C]),
        ('name,body\na,"A\nB"\nb,B\n', [("a", "A\nB"), B]),
        ('name,body\r\na,"A\r\nB"\r\nb,B\r\n', [("a", "A\r\nB"), B]),
        ('name,body\na,A\nb,"B\nc,C\n', [A, bad(1)]),
        ('name,body\na,A\nb,"B" b\nc,C\n', [A, bad(1), C]),
        ("name,body,body\na,A,X\n", [A]),
        ("\ufeffname,body\na,A\n", [A]),
        ('\ufeff"name","body"\na,A\n', [A]),
        ("sep=;\nname;body\na;A\nb;B\n", [A, B]),
        ('"sep=\t"\r\nname\tbody\r\na\tA\r\n', [A]),
        ("\n\nname,body\n\na,A\n\n\nb,B\n", [A, B]),
        ("name,body\ra,A\rb,B\r", [A, B]),
        ("name;body\na;A, B\n", [("a", "A, B")]),
    ],
)
def test_whatever_a_csv_holds_each_row_that_can_be_read_is(
    tmp_path: Path, content: str, expected: list[tuple[str, str]]
) -> None:
    (tmp_path / "t.csv").write_text(content, encoding="utf-8", newline="")
    assert fates(listed(tmp_path / "t.csv")) == expected


def test_the_cells_of_a_single_column_may_hold_any_separator(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('body\nOne, two; three|four\n"Quoted, ""too"""\n', encoding="utf-8")
    documents = listed(tmp_path / "t.csv", name=None)
    assert [document.text for document in documents] == ["One, two; three|four", 'Quoted, "too"']


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array(["A", None]), ["A", "no_text"]),
        (pa.array(["A", "B"]).dictionary_encode(), ["A", "B"]),
        (pa.array(["A", "B"], pa.large_string()), ["A", "B"]),
        (pa.array(["A", "B"], pa.string_view()), ["A", "B"]),
        (pa.array([b"A", b"\xff"], pa.binary()), ["A", "no_text"]),
        (pa.array(["\u00e9".encode(), b"B"], pa.large_binary()), ["\u00e9", "B"]),
        (pa.array([b"A", b"B"], pa.binary(1)), ["A", "B"]),
        (pa.array([None, None]), ["no_text", "no_text"]),
        (pa.array([1, None]), ["no_text", "no_text"]),
        (pa.array([1, 2]).cast(pa.decimal128(30, 2)), ["no_text", "no_text"]),
        (pa.array([["A"], []]), ["no_text", "no_text"]),
        (pa.array([{"text": "A"}, None]), ["no_text", "no_text"]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_text_is_read_of_whatever_type_parquet_has_it(tmp_path: Path, column: pa.Array, expected: list[str]) -> None:
    pq.write_table(pa.table({"name": ["a", "b"], "body": column}), tmp_path / "t.parquet")
    assert [fate for _, fate in fates(listed(tmp_path / "t.parquet"))] == expected
