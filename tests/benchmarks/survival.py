"""Kill a job with -9 again and again, at random instants, and see that nothing is paid twice.

`python -m tests.benchmarks.survival [documents=5000] [kills=20] [chaos=0.0]`: the command
line itself, Prefect included. With chaos, that share of the requests each meets every
fault that the simulated provider knows. Compares the tables with those of an
undisturbed run, row for row, times and attempts aside.
"""

import contextlib
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from tests.benchmarks.provider import Provider
from tests.benchmarks.texts import write_documents
from tests.simulator import FAULTS

IN_FLIGHT = 100
LATENCY = 0.2
WITHOUT = {
    "documents": "job_id, finished_at",
    "calls": "created_at, latency_ms, attempts",
    "failures": "failed_at, attempts",
}


def main(documents: int = 5000, kills: int = 20, chaos: float = 0.0) -> None:
    """Run the job undisturbed, then with kills; print what was found."""
    luck = random.Random(7)
    with tempfile.TemporaryDirectory() as name, Provider({"context": 8192, "latency": LATENCY}) as provider:
        folder = Path(name)
        write_documents(folder / "documents", documents)
        _finish(_start(folder, "undisturbed"))
        before = provider.counts()["answered"]
        provider.change({"chaos": dict.fromkeys(FAULTS, chaos)})
        held: dict[str, int] = {}
        for _ in range(kills):
            _kill(folder, provider, luck)
            counts = _short(provider)
            for digest in _digests(folder / "killed" / ".docmill" / "ledger.sqlite"):
                held.setdefault(digest, counts[digest])
        began = time.monotonic()
        code = _finish(_start(folder, "killed"))
        found = provider.counts()
        again = sum(_short(provider)[digest] > count for digest, count in held.items())
        repeated = sum(number - 1 - before[digest] for digest, number in found["answered"].items())
        print(f"{documents} documents, {kills} kills, {chaos:.0%} of each of {len(FAULTS)} faults; exit code {code}")
        print(f"the last run took {time.monotonic() - began:.0f} s; faults met: {found['faults']}")
        print(f"{len(held)} answers had arrived at a kill; asked for again: {again}")
        print(f"answers made twice, in flight at a kill: {repeated} (at most {kills * IN_FLIGHT})")
        for table in WITHOUT:
            print(f"{table}: {_differences(folder, table)}")


def _start(folder: Path, output: str) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-m", "flows.summarize", str(folder / "documents"), "--output", str(folder / output)]
    words += ["--provider", "openai-compatible", "--model", "sim-model", "--concurrency", str(IN_FLIGHT)]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _finish(job: "subprocess.Popen[bytes]") -> int:
    return job.wait(timeout=1800)


def _kill(folder: Path, provider: Provider, luck: random.Random) -> None:
    """Start the job, and kill it some time after its first answers."""
    answers = provider.counts()["answers"]
    job = _start(folder, "killed")
    wanted = answers + luck.randrange(0, 450)
    while provider.counts()["answers"] < wanted and job.poll() is None:
        time.sleep(0.1)
    time.sleep(luck.random() * 0.3)
    job.kill()
    job.wait()
    time.sleep(LATENCY)  # what was in flight comes to its end at the provider


def _short(provider: Provider) -> dict[str, int]:
    """Return how often each prompt was answered, by the digest that its answer shows."""
    return {digest[:12]: int(count) for digest, count in provider.counts()["answered"].items()}


def _digests(ledger: Path) -> Iterator[str]:
    """Each simulated answer says which prompt it is about."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(ledger)) as connection:
        for (body,) in connection.execute("SELECT body FROM answers"):
            with contextlib.suppress(ValueError, KeyError, IndexError, TypeError):
                yield json.loads(body)["choices"][0]["message"]["content"].split()[-1].rstrip(".")


def _differences(folder: Path, table: str) -> str:
    rows = [f"select * exclude ({WITHOUT[table]}) from '{folder}/{name}/{table}/*.parquet'"
            for name in ("undisturbed", "killed")]  # fmt: skip
    found = []
    for one, other in (rows, rows[::-1]):
        found.append(_count(f"{one} except all {other}"))
    return f"{_count(rows[1])} rows, {found[0]} missing, {found[1]} other"


def _count(query: str) -> int:
    ((count,),) = duckdb.connect().execute(f"select count(*) from ({query})").fetchall()
    return int(count)


if __name__ == "__main__":
    values = sys.argv[1:]
    main(*(int(word) for word in values[:2]), *(float(word) for word in values[2:3]))
