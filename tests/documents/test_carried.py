"""Columns beside the text: whatever a table holds, each value is carried as it stands there, or as text."""

import csv
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.base.errors import JobPaused
from tasks.documents.listing import list_documents
from tasks.documents.tables.column_schema import carried_schema
from tasks.documents.tables.column_types import as_text

LATE = 5_000  # rows: more than are read at once


def types(path: Path) -> dict[str, str]:
    found = carried_schema([str(path)], text_column="body", id_column=None, columns="*")
    return {field.name: str(field.type) for field in found}


def values(path: Path, name: str = "v") -> list[Any]:
    """The values of a column, out of Parquet as a result set holds them."""
    kinds = carried_schema([str(path)], text_column="body", id_column=None, columns=(name,))
    rows = [dict(one.columns or {}) for one in list_documents([str(path)], text_column="body", columns=(name,))]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, kinds), sink)
    found: list[Any] = pq.read_table(pa.BufferReader(sink.getvalue()))[name].to_pylist()
    return found


def cells(path: Path, *found: str) -> Path:
    with (path / "t.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["body", "v"], *(["x", cell] for cell in found)])
    return path / "t.csv"


def lines(path: Path, *found: str) -> Path:
    """A table of JSON values, written by hand."""
    path = path / "t.jsonl"
    path.write_text("".join(f'{{"body": "x", "v": {value}}}\n' for value in found), encoding="utf-8")
    return path


def test_types_that_the_first_rows_have_change_no_later_value() -> None:
    path = Path(__file__).parent / "tables" / "late_types.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = list(list_documents([str(path)], text_column="body", columns=("*",)))
    assert len(found) == len(rows) == 1_200
    for row, document in zip(rows, found, strict=True):
        columns = document.columns or {}
        assert {name: as_text(value) for name, value in columns.items()} == {name: row[name] for name in columns}
    last = found[-1].columns or {}
    assert (last["price"], last["zip"]) == (12.5, "01234")


@pytest.mark.parametrize(
    ("first", "late", "kind"),
    [
        ("10", "12.5", "double"),
        ("10", "01234", "string"),
        ("10", "unknown", "string"),
        ("10", "+5", "string"),
        ("10", "1e5", "string"),
        ("10", "1,234", "string"),
        ("10", " 7", "string"),
        ("10", "7 ", "string"),
        ("10", "-0", "string"),
        ("10", "9223372036854775807", "int64"),
        ("10", "9223372036854775808", "string"),
        ("0.5", "9007199254740993", "string"),
        ("0.5", "0.12345678901234567890", "string"),
        ("0.5", "2.0", "double"),
        ("0.5", "12.50", "string"),
        ("0.5", "2", "double"),
        ("0.5", "-0.25", "double"),
        ("0.5", "0.00001", "string"),
        ("0.5", "0.0", "double"),
        ("0.5", "-0.0", "double"),
        ("0.5", "NaN", "string"),
        ("0.5", "inf", "string"),
        ("0.5", ".5", "string"),
        ("0.5", "12,5", "string"),
        ("true", "false", "bool"),
        ("true", "yes", "string"),
        ("true", "TRUE", "string"),
        ("true", "1", "string"),
        ("2025-01-02", "02/01/2025", "string"),
        ("2025-01-02", "2025-02-30", "string"),
        ("2025-01-02", "0000-01-01", "string"),
        ("2025-01-02", "10000-01-01", "string"),
        ("2025-01-02", "2025-01-02T03:04:05", "string"),
        ("2025-01-02T03:04:05", "2025-01-02 03:04:05", "string"),
        ("2025-01-02T03:04:05", "2025-01-02T03:04:05Z", "string"),
        ("2025-01-02T03:04:05", "1677-01-02T03:04:05", "timestamp[us]"),
        ("10", "NULL", "string"),
        ("word", "\u00e9\ufffd", "string"),
    ],
)
def test_a_late_cell_is_carried_as_it_stands(tmp_path: Path, first: str, late: str, kind: str) -> None:
    path = cells(tmp_path, *[first] * LATE, late)
    assert types(path) == {"v": kind}
    rows = [document.columns or {} for document in list_documents([str(path)], text_column="body", columns=("*",))]
    assert {as_text(row["v"]) for row in rows[:LATE]} == {first}
    assert as_text(rows[LATE]["v"]) == late


def test_an_empty_cell_is_null_where_the_column_has_a_type_and_empty_text_where_it_is_text(tmp_path: Path) -> None:
    assert values(cells(tmp_path, "1", "", "2")) == [1, None, 2]
    assert values(cells(tmp_path, "x", "", "2")) == ["x", "", "2"]


CELLS = st.lists(
    st.one_of(
        st.integers(-(2**64), 2**64).map(str),
        st.floats().map(repr),
        st.decimals(allow_nan=False, allow_infinity=False).map(str),
        st.dates().map(str),
        st.datetimes().map(datetime.isoformat),
        st.sampled_from(
            ["true", "false", "True", "01", "1.0", "1.", "-0", "+1", "1e3", " 1", "0.1", "1,5", "0000-01-01"]
        ),
        st.text("0123456789.-+eE:T", min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=5,
)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=CELLS | CELLS.map(lambda found: found[:1] * 3))
def test_a_cell_turned_back_into_text_is_the_cell(tmp_path: Path, found: list[str]) -> None:
    path = cells(tmp_path, *found)
    rows = [document.columns or {} for document in list_documents([str(path)], text_column="body", columns=("*",))]
    assert [as_text(row["v"]) for row in rows] == found
    assert len(values(path)) == len(rows)


@pytest.mark.parametrize(
    ("first", "late", "expected"),
    [
        ("1", "2.5", (1, 2.5)),
        ("1", '"x"', ("1", "x")),
        ("1", '"1"', ("1", "1")),
        ("1", "null", (1, None)),
        ("1", "true", ("1", "true")),
        ("1", '{"k": 1}', ("1", '{"k": 1}')),
        ("1", "[1]", ("1", "[1]")),
        ("1", str(2**63), ("1", str(2**63))),
        ("1", str(2**70), ("1", str(2**70))),
        ("0.5", str(2**53 + 1), ("0.5", str(2**53 + 1))),
        (str(2**53 + 1), "0.5", (str(2**53 + 1), "0.5")),
        ("0.1", "0.12345678901234567890", ("0.1", "0.12345678901234567890")),
        ("0.1", "1e400", ("0.1", "1e400")),
        ("1", "1.0", (1, 1.0)),
        ("null", "1", (None, 1)),
        ("null", '"x"', (None, "x")),
        ('{"k": 1}', '{"k": 2, "j": "x"}', ({"k": 1, "j": None}, {"k": 2, "j": "x"})),
        ('{"k": 1}', '{"k": "x"}', ('{"k": 1}', '{"k": "x"}')),
        ('{"k": 1}', "{}", ({"k": 1}, {"k": None})),
        ("[1]", '["x"]', ("[1]", '["x"]')),
        ("[]", "[1]", ([], [1])),
        ('"01"', '"2025-01-02"', ("01", "2025-01-02")),
        ('"x"', "1.50", ("x", "1.5")),
    ],
)
def test_a_late_value_of_json_lines_is_carried_as_it_stands(
    tmp_path: Path, first: str, late: str, expected: tuple[Any, Any]
) -> None:
    found = values(lines(tmp_path, *[first] * LATE, late))
    assert (found[0], found[LATE]) == expected
    assert found[: LATE - 1] == found[1:LATE]


def test_a_key_that_comes_late_is_a_column(tmp_path: Path) -> None:
    path = lines(tmp_path, *["1"] * LATE)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"body": "x", "late": "here"}\n')
    assert types(path) == {"v": "int64", "late": "string"}
    assert values(path, "late") == [None] * LATE + ["here"]


def test_whole_numbers_of_one_table_and_fractions_of_another_are_floats_only_where_these_hold_them(
    tmp_path: Path,
) -> None:
    cells(tmp_path, "1", "2")
    lines(tmp_path, "0.5")
    assert types(tmp_path) == {"v": "double"}
    cells(tmp_path, "1", str(2**53 + 1))
    assert types(tmp_path) == {"v": "string"}
    assert values(tmp_path) == ["1", str(2**53 + 1), "0.5"]


def test_columns_of_one_name_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("body,v,v,,v_2\nx,1,2,3,4\n", encoding="utf-8")
    (row,) = [dict(one.columns or {}) for one in list_documents([str(tmp_path)], text_column="body", columns=("*",))]
    assert row == {"v": 1, "v_3": 2, "column_4": 3, "v_2": 4}


YEAR_10000, YEAR_0 = 2_932_897, -719_528  # days
DAY = 86_400


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([20_000, YEAR_10000], pa.int32()).cast(pa.date32()), ["2024-10-04", "10000-01-01"]),
        (pa.array([20_000, YEAR_0], pa.int32()).cast(pa.date32()), ["2024-10-04", "0000-01-01"]),
        (pa.array([0, YEAR_0 - 400], pa.int32()).cast(pa.date32()), ["1970-01-01", "-0002-11-27"]),
        (pa.array([YEAR_10000 * DAY], pa.timestamp("s")), ["10000-01-01 00:00:00.000"]),
        (pa.array([0, YEAR_10000 * DAY * 1_000], pa.timestamp("ms")),
         ["1970-01-01 00:00:00.000", "10000-01-01 00:00:00.000"]),
        (pa.array([YEAR_10000 * DAY * 1_000_000, None], pa.timestamp("us")), ["10000-01-01 00:00:00.000000", None]),
        (pa.array([YEAR_10000 * DAY * 1_000_000], pa.timestamp("us", "UTC")), ["10000-01-01 00:00:00.000000Z"]),
        (pa.array([0], pa.timestamp("us", "Mars/Base")), ["1970-01-01 00:00:00.000000Z"]),
        (pa.array([0], pa.timestamp("us", "+05:30")), [datetime(1970, 1, 1, tzinfo=UTC)]),
        (pa.array([1_001], pa.timestamp("ns")), [datetime(1970, 1, 1, 0, 0, 0, 1)]),  # noqa: DTZ001
        (pa.array([2**62], pa.duration("s")), [str(2**62)]),
        (pa.array([5], pa.duration("ns")), [timedelta(0)]),
        (pa.array([Decimal("1." + "1" * 60)], pa.decimal256(70, 60)), [Decimal("1." + "1" * 60)]),
        (pa.array([{"at": YEAR_10000, "n": 1}], pa.struct([("at", pa.date32()), ("n", pa.int64())])),
         [{"at": "10000-01-01", "n": 1}]),
        (pa.array([[0, YEAR_10000]], pa.list_(pa.date32())), [["1970-01-01", "10000-01-01"]]),
        (pa.array([date(2025, 1, 2)]), [date(2025, 1, 2)]),
        (pa.array([b"\xff", b"a"]), [b"\xff", b"a"]),
        (pa.array([2**64 - 1], pa.uint64()), [2**64 - 1]),
        (pa.array([None, None]), [None, None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)  # fmt: skip
def test_times_that_python_lacks_are_text_and_no_defect(tmp_path: Path, column: pa.Array, expected: list[Any]) -> None:
    pq.write_table(pa.table({"body": ["x"] * len(column), "v": column}), tmp_path / "t.parquet")
    assert values(tmp_path / "t.parquet") == expected
    for document in list_documents([str(tmp_path / "t.parquet")], text_column="body", columns=("v",)):
        as_text((document.columns or {})["v"])


def test_a_column_that_only_later_files_have_is_null_before(tmp_path: Path) -> None:
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"body": ["x"], "v": [date(2025, 1, 2)]}), tmp_path / "b.parquet")
    assert values(tmp_path) == [None, date(2025, 1, 2)]


def test_columns_that_have_no_type_in_common_are_text(tmp_path: Path) -> None:
    columns = {
        "a": pa.array([2**64 - 1], pa.uint64()),
        "b": pa.array([-1]),
        "c": pa.array([0.1]),
        "d": pa.array([Decimal("0.10")]),
        "e": pa.array([b"caf\xc3\xa9"]),
        "f": pa.array(["g"]),
        "g": pa.array([date(2025, 1, 2)]),
    }
    for name, column in columns.items():
        pq.write_table(pa.table({"body": ["x"], "v": column}), tmp_path / f"{name}.parquet")
    assert values(tmp_path) == [str(2**64 - 1), "-1", "0.1", "0.10", "caf\u00e9", "g", "2025-01-02"]


def test_a_table_that_changes_while_it_is_read_stops_the_job_and_loses_no_value(tmp_path: Path) -> None:
    path = lines(tmp_path, *["1"] * LATE)
    documents = list_documents([str(path)], text_column="body", columns=("v",))
    next(documents)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"body": "x", "v": "many"}\n')
    with pytest.raises(JobPaused, match="its column 'v' is no longer of int64 .* run the same command again"):
        list(documents)
    assert values(path)[-1] == "many"


JSON = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=3)
)  # fmt: skip


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=st.lists(JSON, min_size=1, max_size=5))
def test_a_json_value_is_itself_or_its_text(tmp_path: Path, found: list[Any]) -> None:
    path = lines(tmp_path, *map(json.dumps, found))
    for value, carried in zip(found, values(path), strict=True):
        assert carried == value or carried == as_text(value) or (value is None and carried is None)
