"""Columns of a table beside the answers and in prompts, in whole jobs: each value as it stands in the file."""

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.prompting.options import ExtractOptions
from tests.conftest import RunJob
from tests.jobs.invoices import schema_file
from tests.jobs.texts import put
from tests.simulator import Simulator

TABLES = Path(__file__).parent.parent / "documents" / "tables"
FREE: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}}


def test_what_is_joined_is_what_the_table_holds_from_the_first_row_to_the_last(
    tmp_path: Path, provider: Simulator, run_job: RunJob
) -> None:
    path = TABLES / "late_types.csv"
    ran = run_job(sources=(path,), text_column="body", id_column="id", join=True)
    with path.open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert (ran.code, len(ran.documents)) == (0, len(rows))
    for name, row in ran.documents.items():
        assert (row["price"], row["zip"]) == (float(rows[name]["price"]), rows[name]["zip"])


def test_a_row_without_text_fails_and_the_others_are_done(provider: Simulator, run_job: RunJob) -> None:
    path = TABLES / "first_row_lacks_text.jsonl"
    ran = run_job(sources=(path,), text_column="body", id_column="id", join=True)
    assert ran.code == 3
    failed = {name: row["error_kind"] for name, row in ran.documents.items() if row["status"] != "done"}
    assert failed == {"1": "no_text"}
    assert ran.documents["1"]["title"] == "no body here"


def test_a_table_that_grows_by_other_values_goes_on_in_the_same_output(
    tmp_path: Path, provider: Simulator, run_job: RunJob
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,body,zip\na,One text.,1234\n", encoding="utf-8")
    words: dict[str, Any] = {"sources": (path,), "text_column": "body", "id_column": "id", "join": True}
    assert run_job(**words).documents["a"]["zip"] == 1234
    with path.open("a", encoding="utf-8") as file:
        file.write("b,Another text.,01234\n")
    ran = run_job(**words)
    assert {name: row["zip"] for name, row in ran.documents.items()} == {"a": "1234", "b": "01234"}


def test_a_year_that_python_lacks_is_text_in_the_result_and_in_the_prompt(
    tmp_path: Path, provider: Simulator, run_job: RunJob
) -> None:
    path = tmp_path / "t.parquet"
    days = pa.array([20_000, 2_932_897], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"id": ["a", "b"], "body": ["One text.", "Another text."], "day": days}), path)
    prompt = put(tmp_path, "prompt.txt", "On {day}:\n<document>{text}</document>")
    ran = run_job(sources=(path,), text_column="body", id_column="id", join=True, prompt=prompt)
    assert {name: row["day"] for name, row in ran.documents.items()} == {"a": "2024-10-04", "b": "10000-01-01"}
    asked = sorted(body["messages"][0]["content"].splitlines()[0] for body in provider.counts.prompts)
    assert asked == ["On 10000-01-01:", "On 2024-10-04:"]


@pytest.mark.parametrize("cell", ["12.5", "7", "7.0", "12.50", "01234", "1e5", "+5", " 7 ", "true", "2025-01-02", ""])
def test_a_cell_stands_in_the_prompt_as_in_the_file(
    tmp_path: Path, provider: Simulator, run_job: RunJob, cell: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"id,body,v\na,One text.,{cell}\n", encoding="utf-8")
    prompt = put(tmp_path, "prompt.txt", "[{v}]\n<document>{text}</document>")
    run_job(sources=(path,), text_column="body", id_column="id", prompt=prompt)
    (body,) = provider.counts.prompts
    assert body["messages"][0]["content"].startswith(f"[{cell}]\n")


def test_an_answer_of_other_keys_is_repaired_once_and_then_set_aside(
    tmp_path: Path, folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.write = lambda _: '{"result": {"Name": "ACME"}}'
    put(folder, "a.txt", "ACME makes anvils.")
    ran = run_job(flow="extract", kind=ExtractOptions, json_schema=schema_file(tmp_path, FREE))
    row = ran.documents["a.txt"]
    assert (ran.code, row["status"], row["error_kind"], row["calls"]) == (3, "failed", "invalid_answer", 2)
    assert "it has none of the fields name: its keys are result" in row["error"]


def test_what_stands_behind_the_thoughts_is_the_answer(
    tmp_path: Path, folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.write = lambda _: 'First guess: {"name": "WRONG"}… </think>\n\n{"name": "ACME"}'
    put(folder, "a.txt", "ACME makes anvils.")
    ran = run_job(flow="extract", kind=ExtractOptions, json_schema=schema_file(tmp_path, FREE))
    assert (ran.code, ran.documents["a.txt"]["name"]) == (0, "ACME")
