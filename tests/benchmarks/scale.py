"""A million documents through the command itself, once undisturbed, once killed with -9 at 90 % and taken up again.

`python -m tests.benchmarks.scale [documents=1000000]`: `extract` with a prompt over a Parquet table of texts of
300 characters, 500 calls in flight, Prefect's temporary server included. Prints how fast it is
at its beginning, middle and end, its memory, what it leaves on the disk, and how soon it goes on after the kill.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.provider import Provider

CHARACTERS, ROWS_AT_ONCE = 300, 100_000
WORDS = ("the", "river", "rose", "over", "night", "and", "carried", "timber", "grain", "salt", "letters", "away")
IN_FLIGHT, LATENCY = 500, 0.05
KILLED_AT = 0.9
LOOK_AGAIN_SECONDS = 0.1
STRETCHES = ((0.05, 0.15), (0.45, 0.55), (0.85, 0.95))


@dataclass
class Run:
    """What was seen of one run: when how many answers had been given, and its peak in MB."""

    looks: list[tuple[float, int]] = field(default_factory=list)
    peak: float = 0.0
    totals: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int | None = None

    def first_call(self) -> float:
        """Return the seconds from the start to the first answer."""
        return next(seconds for seconds, answers in self.looks if answers)

    def rate(self, start: float, end: float, documents: int) -> float:
        """Return the answers a second from one share of the documents to another."""
        within = [look for look in self.looks if start * documents <= look[1] <= end * documents]
        (began, before), (ended, after) = within[0], within[-1]
        return (after - before) / max(ended - began, LOOK_AGAIN_SECONDS)


def main(documents: int) -> None:
    """Run the job in both ways, and print what was found."""
    with (
        tempfile.TemporaryDirectory(prefix="docmill-scale-") as name,
        Provider({"context": 8192, "latency": LATENCY, "remember": False}) as provider,
    ):
        folder = Path(name)
        os.environ["PREFECT_HOME"] = str(folder / "prefect")
        _write(folder, documents)
        whole = _run(folder, "undisturbed", provider)
        print(f"{documents:,} documents, undisturbed: {_end(whole)}")
        print(f"first call after {whole.first_call():.1f} s; at most {whole.peak:.0f} MB")
        for start, end in STRETCHES:
            print(f"from {start:.0%} to {end:.0%}: {whole.rate(start, end, documents):,.0f} calls a second")
        for place, size in _sizes(folder):
            print(f"{place}: {size / 1e6:,.0f} MB, {size / documents:.0f} bytes a document", flush=True)
        killed = _run(folder, "killed", provider, until=int(KILLED_AT * documents))
        again = _run(folder, "killed", provider)
        print(f"killed at {killed.looks[-1][1]:,} answers; first new call {again.first_call():.1f} s after the start")
        print(f"taken up: {_end(again)}; at most {again.peak:.0f} MB; {again.looks[-1][1]:,} new answers")
        print(f"load of the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


def _write(folder: Path, documents: int) -> None:
    """Write the table, some rows at a time, and the prompt."""
    (folder / "ask.txt").write_text("Say in a word what this is about:\n{text}\n", encoding="utf-8")
    luck = random.Random(1)
    texts = [" ".join(luck.choices(WORDS, k=CHARACTERS))[:CHARACTERS] for _ in range(2000)]
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    with pq.ParquetWriter(folder / "documents.parquet", schema) as writer:
        for start in range(0, documents, ROWS_AT_ONCE):
            numbers = range(start, min(start + ROWS_AT_ONCE, documents))
            rows = [f"{number:010d} {texts[number % len(texts)]}"[:CHARACTERS] for number in numbers]
            writer.write_table(pa.table({"id": [str(number) for number in numbers], "text": rows}, schema))


def _run(folder: Path, output: str, provider: Provider, until: int | None = None) -> Run:
    """Run the command and look on; kill it with -9 at so many answers."""
    before, began = provider.counts()["answers"], time.monotonic()
    run = Run()
    with (folder / f"{output}.log").open("a") as log, (folder / "summary.json").open("w+") as summary:
        job = subprocess.Popen(_command(folder, output), stdout=summary, stderr=log)
        while job.poll() is None:
            time.sleep(LOOK_AGAIN_SECONDS)
            run.looks.append((time.monotonic() - began, provider.counts()["answers"] - before))
            run.peak = _peak(job.pid) or run.peak
            if until is not None and run.looks[-1][1] >= until:
                job.kill()
        run.exit_code = job.wait()
        summary.seek(0)
        run.totals = {} if until else json.load(summary)["totals"]
    return run


def _command(folder: Path, output: str) -> Sequence[str]:
    words = [sys.executable, "-m", "flows.extract", str(folder / "documents.parquet"), "--text-column", "text"]
    words += ["--id-column", "id", "--prompt", str(folder / "ask.txt"), "--provider", "openai-compatible"]
    words += ["--model", "sim-model", "--concurrency", str(IN_FLIGHT), "--max-output-tokens", "16"]
    return [*words, "--output", str(folder / output), "--no-progress", "--json"]


def _peak(process: int) -> float | None:
    """Return a process's peak in MB; None where it has just ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)


def _end(run: Run) -> str:
    totals = {name: run.totals[name] for name in ("documents", "done", "failed", "unchanged", "calls")}
    return f"exit code {run.exit_code} after {run.looks[-1][0]:.0f} s; {totals}"


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield what lies on the disk, in bytes."""
    yield "input", (folder / "documents.parquet").stat().st_size
    for place in (".docmill", "documents", "calls"):
        yield place, _size(folder / "undisturbed" / place)
    yield "Prefect's database", _size(folder / "prefect")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:2] or ("1000000",)))
