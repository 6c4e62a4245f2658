"""Result files that somebody removed or damaged are written again, and nothing is paid twice."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.results.location import folder_at
from tasks.results.parts import held_documents
from tasks.results.schemas import TABLES
from tests.conftest import RunJob
from tests.jobs.texts import fill, prose, put
from tests.simulator import Simulator, error


def _remove(path: Path) -> None:
    path.unlink()


def _damage(path: Path) -> None:
    path.write_bytes(b"junk")


@pytest.mark.parametrize("spoil", [_remove, _damage])
@pytest.mark.parametrize("table", ["documents", "calls"])
def test_a_part_that_is_lost_is_written_again_from_the_ledger(
    folder: Path, provider: Simulator, run_job: RunJob, spoil: Callable[[Path], None], table: str
) -> None:
    fill(folder, 5)
    before = run_job()
    asked = provider.counts.requests
    spoil(before.output / table / "part-000001.parquet")

    after = run_job()

    assert after.code == 0
    assert provider.counts.requests == asked
    assert {name: row["output"] for name, row in after.documents.items()} == {
        name: row["output"] for name, row in before.documents.items()
    }
    assert len(after.rows("calls")) == 5


def test_a_table_that_is_lost_as_a_whole_is_written_again(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 5)
    output = run_job().output
    asked = provider.counts.requests
    shutil.rmtree(output / "documents")
    assert len(run_job().documents) == 5
    assert provider.counts.requests == asked
    assert run_job().record.totals.unchanged == 5


def test_a_lost_part_with_vanished_documents_is_mended_once(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 5)
    output = run_job().output
    asked = provider.counts.requests
    (folder / "000.txt").unlink()
    _damage(output / "documents" / "part-000001.parquet")

    assert run_job().record.totals.done == 4
    again = run_job()

    assert again.record.totals.unchanged == 4
    assert len(again.documents) == 4
    assert provider.counts.requests == asked


def test_parts_with_other_columns_become_the_jobs_own_and_unchanged_documents_cost_nothing(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 3)
    before = run_job()
    path = before.output / "documents" / "part-000001.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["error"]).append_column("city", [["Bern"] * 3]), path)
    fill(folder, 4)
    after = run_job()
    assert (after.record.totals.unchanged, after.record.totals.done) == (3, 1)
    assert provider.counts.requests == 4
    table = pq.read_table(before.output / "documents")
    assert table.schema.names == TABLES["documents"].names
    assert table.num_rows == 4


def _junk_in_the_middle(path: Path) -> None:
    data = path.read_bytes()
    third = len(data) // 3
    path.write_bytes(data[:third] + random.Random(1).randbytes(third) + data[2 * third :])


def test_a_result_set_whose_ledger_was_removed_ends_with_one_row_a_document(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 5)
    output = run_job().output
    homes = held_documents(folder_at(str(output)))
    shutil.rmtree(output / ".docmill")
    put(folder, "new.txt", prose(600, "new"))
    after = run_job()
    assert (after.code, len(after.documents), len(after.rows("calls"))) == (0, 6, 6)
    assert homes.items() <= held_documents(folder_at(str(output))).items()


@pytest.mark.parametrize("spoil", [_damage, _junk_in_the_middle])
def test_a_result_set_whose_ledger_was_damaged_ends_with_one_row_a_document(
    folder: Path, provider: Simulator, run_job: RunJob, spoil: Callable[[Path], None]
) -> None:
    fill(folder, 3)
    run_job()
    fill(folder, 7)
    before = run_job()
    homes = held_documents(before.folder)
    assert len(set(homes.values())) == 2
    spoil(before.output / ".docmill" / "ledger.sqlite")
    troubles: list[str] = []
    put(folder, "new.txt", prose(600, "new"))

    after = run_job(opened=lambda job: troubles.extend(job.meter.troubles))

    assert (after.code, after.record.totals.done) == (0, 8)
    assert {row["status"] for row in after.documents.values()} == {"done"}
    assert len(after.documents) == len(after.rows("calls")) == 8
    assert homes.items() <= held_documents(after.folder).items()
    [notice] = troubles
    [aside] = (after.output / ".docmill").glob("ledger.sqlite.aside-*")
    assert aside.name in notice
    asked = provider.counts.requests
    assert run_job().record.totals.unchanged == 8
    assert provider.counts.requests == asked


def test_a_failed_merge_has_a_row_of_its_own_beside_that_of_a_failed_chunk(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.context = 1024
    provider.settings.answer = "word " * 300
    provider.settings.fault = lambda _, body: error(400, "no") if "POISON" in str(body) else None
    put(folder, "long.txt", prose(4000, 1) + "\n\nPOISON\n\n" + prose(4000, 2))

    ran = run_job(max_output_tokens=300)

    assert ran.documents["long.txt"]["error_kind"] == "cannot_reduce"
    kinds = {row["error_kind"] for row in ran.rows("failures")}
    assert kinds == {"http_400", "cannot_reduce"}
