"""What has gone from the inputs goes from the tables, where it is wished."""

from pathlib import Path
from typing import Any

import pytest

from tasks.base.errors import UserMistake
from tasks.running.prune import prune
from tests.conftest import Ran, RunJob
from tests.jobs.texts import fill, prose, put
from tests.simulator import Simulator


@pytest.fixture
def pruned(run_job: RunJob) -> RunJob:
    """Run a job with --prune."""

    def run(**words: Any) -> Ran:
        return run_job(finished=prune, prune=True, **words)

    return run


def test_the_vanished_leave_every_table_and_the_others_stay_as_they_are(
    folder: Path, provider: Simulator, run_job: RunJob, pruned: RunJob
) -> None:
    fill(folder, 6)
    put(folder, "empty.txt", " ")
    before = run_job().documents
    for name in ("001.txt", "004.txt", "empty.txt"):
        (folder / name).unlink()
    put(folder, "new.txt", prose(400, "new"))
    asked = provider.counts.requests
    ran = pruned()
    assert provider.counts.requests == asked + 1
    documents = ran.documents
    assert sorted(documents) == ["000.txt", "002.txt", "003.txt", "005.txt", "new.txt"]
    assert all(documents[name] == before[name] for name in documents if name != "new.txt")
    assert {row["document_id"] for row in ran.rows("calls")} == set(documents)
    assert ran.rows("failures") == []


def test_without_it_they_stay_and_one_that_comes_back_costs_nothing(
    folder: Path, provider: Simulator, run_job: RunJob, pruned: RunJob
) -> None:
    fill(folder, 3)
    run_job()
    gone = (folder / "001.txt").read_text()
    (folder / "001.txt").unlink()
    assert len(run_job().documents) == 3
    assert len(pruned().documents) == 2
    put(folder, "001.txt", gone)
    ran = run_job()
    assert (len(ran.documents), provider.counts.requests) == (3, 3)
    assert [row["reused"] for row in ran.rows("calls") if row["document_id"] == "001.txt"] == [True]


@pytest.mark.parametrize("words", [{"limit": 3}, {"retry_failed": True}])
def test_what_is_listed_in_part_only_is_not_taken_for_gone(
    folder: Path, provider: Simulator, pruned: RunJob, words: dict[str, Any]
) -> None:
    fill(folder, 2)
    with pytest.raises(UserMistake, match="--prune and --"):
        pruned(**words)
