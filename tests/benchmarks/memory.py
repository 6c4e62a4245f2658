"""Peak memory of a job of 20,000 calls and of one of 200,000.

`python -m tests.benchmarks.memory [few=20000] [many=200000]`: each job in a process
of its own, over a Parquet table of short texts, at 500 calls in flight, without Prefect.
"""

import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.jobs.document_shard import Worked, run_shard, shards
from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tasks.running.opening import open_job
from tests.benchmarks.provider import Provider

CHARACTERS = 1000
SHARDS_AT_ONCE = 4


def main(few: int, many: int) -> None:
    """Run both, and print the ratio of their peaks."""
    with Provider({"context": 8192, "remember": False}) as provider:
        peaks = [_child(provider.url, count) for count in (few, many)]
    print(f"ratio {peaks[1] / peaks[0]:.2f}")


def _child(url: str, count: int) -> float:
    """Return the peak in MB."""
    with tempfile.TemporaryDirectory() as folder:
        rows = {"id": range(count), "body": [f"{number} " + "word " * (CHARACTERS // 5) for number in range(count)]}
        pq.write_table(pa.table({name: list(values) for name, values in rows.items()}), f"{folder}/texts.parquet")
        del rows
        command = [sys.executable, "-m", "tests.benchmarks.memory", "child", folder]
        done = subprocess.run(command, env=os.environ | {"OPENAI_BASE_URL": url}, stdout=subprocess.PIPE, check=True)
    peak, seconds = map(float, done.stdout.split())
    print(f"{count} calls: {peak:.0f} MB at its peak, {count / seconds:,.0f} calls a second", flush=True)
    return peak


def _job(folder: Path) -> None:
    """Run a job as the flow does: a few shards under way."""
    began = time.monotonic()
    options = Options(
        output=folder / "out", provider="openai-compatible", model="sim-model", concurrency=500,
        text_column="body", id_column="id",
    )  # fmt: skip
    prepared = prepare("summarize", [str(folder / "texts.parquet")], options)
    with open_job(prepared) as job, ThreadPoolExecutor(SHARDS_AT_ONCE) as pool:
        under_way: set[Future[Worked]] = set()
        for group in shards(job.documents(), prepared.job_routes[0].route.window.context):
            under_way.add(pool.submit(job.run, run_shard(job, group)))
            if len(under_way) >= SHARDS_AT_ONCE:
                _, under_way = wait(under_way, return_when=FIRST_COMPLETED)
        wait(under_way)
        code = job.conclude().exit_code
    assert code == 0
    print(_peak(), time.monotonic() - began)


def _peak() -> float:
    """Return this process's peak in MB; the system's ru_maxrss would begin with that of its parent."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        _job(Path(sys.argv[2]))
    else:
        main(*(int(word) for word in sys.argv[1:] or ("20000", "200000")))
