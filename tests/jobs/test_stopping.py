"""A job that is stopped ends, whatever its shards are about to do."""

from pathlib import Path

import pytest

from tasks.jobs import shard
from tests.conftest import RunJob
from tests.jobs.texts import fill
from tests.simulator import Simulator, error


@pytest.mark.timeout(60)
@pytest.mark.parametrize("threads", [1, 4])
def test_shards_that_begin_after_the_stop_leave_at_once(
    folder: Path, provider: Simulator, run_job: RunJob, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr(shard, "CALLS_A_SHARD", 20)
    provider.settings.fault = lambda number, _: error(401, "no such key") if number > 30 else None
    fill(folder, 300)
    ran = run_job(concurrency=4, threads=threads)
    assert ran.code == 4
    assert len(ran.rows("documents")) <= 40
