"""Worker processes of each engine, as a person asks for them; one of them is killed on the way."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.benchmarks.workers import at_work
from tests.flows.tables import query
from tests.flows.test_command import ROOT, SIMULATED, command, environment
from tests.simulator import Simulator

ROWS, IN_FLIGHT, SECONDS = 1500, 40, 100


def table(path: Path) -> Path:
    """Enough rows for two shards."""
    path.write_text("".join(json.dumps({"id": f"{n:04d}", "text": f"a letter, no {n}"}) + "\n" for n in range(ROWS)))
    return path


@pytest.mark.parametrize("engine", ["processes", "dask", "ray"])
def test_a_job_is_done_by_workers_of_which_one_is_killed(
    engine: str, provider: Simulator, prefect: str, tmp_path: Path
) -> None:
    provider.settings.latency = 0.15
    output = tmp_path / "out"
    words = [str(table(tmp_path / "letters.jsonl")), *SIMULATED, "--text-column", "text", "--id-column", "id"]
    words += ["--output", str(output), "--runner", engine, "--workers", "2", "--concurrency", str(IN_FLIGHT), "--json"]
    run = subprocess.Popen(
        command(*words),
        cwd=ROOT,
        env=environment(provider, prefect),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + SECONDS
    while provider.counts.answers < ROWS // 5 or not (workers := list(at_work([output]))):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.05)
    os.kill(workers[0], signal.SIGKILL)
    said, errors = run.communicate(timeout=SECONDS)
    assert run.returncode == 0, errors
    totals = json.loads(said)["totals"]
    assert (totals["documents"], totals["done"], totals["failed"]) == (ROWS, ROWS, 0)
    assert ROWS <= provider.counts.requests <= ROWS + IN_FLIGHT
    assert "was lost: its shards are taken over" in " ".join(errors.split())
    counted = "select count(*), count(distinct document_id) from '{}'"
    assert query(counted.format(output / "documents/*.parquet")) == [(ROWS, ROWS)]
    assert not list(at_work([output]))
