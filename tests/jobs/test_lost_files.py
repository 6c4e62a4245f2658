"""Result files that somebody removed or damaged are written again, and nothing is paid twice."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import RunJob
from tests.jobs.texts import fill
from tests.simulator import Simulator


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
