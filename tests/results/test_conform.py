"""All parts of a result set are of the job's schemas, whatever they were before."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.base.errors import UserMistake
from tasks.results.conform import conform
from tasks.results.footers import footers
from tasks.results.location import Folder, folder_at
from tasks.results.parts import create_tables, read_part, write_part
from tasks.results.schemas import DOCUMENTS, TABLES, Schemas
from tests.results.test_parts import row

NAME = "documents/part-000001.parquet"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return folder_at(str(tmp_path / "out"))


def with_columns(**kinds: pa.DataType) -> Schemas:
    """Return the schemas of a job whose documents have more columns."""
    more = [pa.field(name, kind, metadata={"description": "a column more"}) for name, kind in kinds.items()]
    return {**TABLES, "documents": pa.schema([*DOCUMENTS, *more])}


def written(folder: Folder, schemas: Schemas, **values: object) -> None:
    create_tables(folder, schemas)
    write_part(folder, 1, ["a"], {"documents": [row("documents", "a", **values)]}, schemas)


def test_a_column_that_parts_lack_is_null_and_one_that_the_job_lacks_is_dropped(folder: Folder) -> None:
    written(folder, with_columns(year=pa.int64()), year=1900)
    conform(folder, with_columns(city=pa.string()))
    (found,) = read_part(folder, NAME).to_pylist()
    assert found == row("documents", "a", city=None)
    schemas = {name: footer.schema for name, footer in footers(folder, TABLES).items()}
    assert {name for name in schemas if "city" in schemas[name].names} == {"documents/part-000000.parquet", NAME}


def test_all_parts_read_as_one_table_and_keep_their_descriptions(folder: Folder) -> None:
    written(folder, TABLES)
    wanted = with_columns(city=pa.string())
    conform(folder, wanted)
    write_part(folder, 2, ["b"], {"documents": [row("documents", "b", city="Bern")]}, wanted)
    assert folder.path is not None
    table = pq.read_table(folder.path / "documents")
    assert table.schema.equals(wanted["documents"], check_metadata=True)
    assert table["city"].to_pylist() == [None, "Bern"]


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [(pa.int32(), pa.int64(), 7), (pa.float32(), pa.float64(), 0.5), (pa.null(), pa.string(), None)],
)
def test_a_column_is_widened(folder: Folder, old: pa.DataType, new: pa.DataType, value: object) -> None:
    written(folder, with_columns(more=old), more=value)
    conform(folder, with_columns(more=new))
    assert read_part(folder, NAME).schema.field("more").type == new
    assert read_part(folder, NAME)["more"].to_pylist() == [value]


@pytest.mark.parametrize(
    ("old", "new", "value", "expected"),
    [
        (pa.int64(), pa.string(), 1234, "1234"),
        (pa.int32(), pa.string(), -7, "-7"),
        (pa.uint64(), pa.string(), 2**64 - 1, str(2**64 - 1)),
        (pa.date32(), pa.string(), date(2025, 1, 2), "2025-01-02"),
        (pa.int64(), pa.float64(), 2**53, 2.0**53),
        (pa.int64(), pa.string(), None, None),
    ],
)
def test_a_column_whose_values_the_other_type_has_too_is_made_it(
    folder: Folder, old: pa.DataType, new: pa.DataType, value: object, expected: object
) -> None:
    written(folder, with_columns(more=old), more=value)
    conform(folder, with_columns(more=new))
    assert read_part(folder, NAME)["more"].to_pylist() == [expected]


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        (pa.string(), pa.int64(), "7"),
        (pa.float64(), pa.string(), 2.0),
        (pa.int64(), pa.int32(), 7),
        (pa.int64(), pa.float64(), 2**53 + 1),
        (pa.bool_(), pa.string(), True),
    ],
)
def test_a_column_of_another_type_is_the_users_mistake_and_nothing_is_touched(
    folder: Folder, old: pa.DataType, new: pa.DataType, value: object
) -> None:
    written(folder, with_columns(more=old, year=pa.int64()), more=value, year=1)
    before = folder.read(NAME)
    with pytest.raises(UserMistake, match=f"column more of documents is {old} there and {new} in this job: .*--output"):
        conform(folder, with_columns(more=new))
    assert folder.read(NAME) == before


def test_parts_that_are_as_the_job_has_them_are_not_written_anew(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(folder, TABLES)
    monkeypatch.setattr("tasks.results.conform.write_table", None)
    assert {name: footer.rows for name, footer in conform(folder).items() if footer.rows} == {NAME: 1}


def test_a_new_vector_size_needs_another_output(folder: Folder) -> None:
    four, eight = (with_columns(embedding=pa.list_(pa.float32(), size)) for size in (4, 8))
    written(folder, four, embedding=[0.0] * 4)
    with pytest.raises(UserMistake, match=r"embedding of documents is fixed_size_list.*\[4\].*\[8\]"):
        conform(folder, eight)
