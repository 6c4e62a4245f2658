"""How well flow runs and their worker processes share one limit, on each engine.

`python -m tests.benchmarks.workers [seconds=60] [processes dask ray]`: two flow runs at once, each
with two workers on the engine, against one simulated provider with a quota of 1,200 requests in
any minute. Counted from when all four workers have been at work for a while: what of the limit is
used, what is refused, how much memory a worker takes. The flow runs are whole commands, with a
Prefect server of each.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.provider import Provider
from tests.benchmarks.texts import write_documents

ENGINES = ("processes", "dask", "ray")
REQUESTS, LATENCY, DOCUMENTS, RUNS, WORKERS = 1200, 0.3, 6000, 2, 2
STARTING, SETTLING = 120.0, 15.0


def main(seconds: float, engines: Sequence[str]) -> None:
    """Print a line an engine."""
    print(f"{RUNS} flow runs with {WORKERS} workers each, {REQUESTS:,} requests a minute, {seconds:.0f} s")
    print("| engine | used | refused | at work after | a worker's memory |\n|---|---|---|---|---|")
    for engine in engines:
        with tempfile.TemporaryDirectory() as folder:
            write_documents(Path(folder) / "documents", DOCUMENTS)
            print(_measure(Path(folder), engine, seconds), flush=True)


def _measure(folder: Path, engine: str, seconds: float) -> str:
    quota = {"allowances": [{"unit": "requests", "amount": REQUESTS}], "retry_after": "exact"}
    settings = {"context": 8192, "latency": LATENCY, "quota": quota, "remember": False}
    outputs = [folder / f"out-{number}" for number in range(RUNS)]
    with Provider(settings) as provider:
        began = time.monotonic()
        running = [_command(folder, output, engine) for output in outputs]
        try:
            while len(found := list(at_work(outputs))) < RUNS * WORKERS:
                assert time.monotonic() - began < STARTING, "the workers don't come"
                time.sleep(0.5)
            started = time.monotonic() - began
            time.sleep(SETTLING)
            before = provider.counts()
            time.sleep(seconds)
            after = provider.counts()
            memory = max(map(_megabytes, found))
            assert len(list(at_work(outputs))) == RUNS * WORKERS, "workers have ended meanwhile"
        finally:
            for one in running:
                one.send_signal(signal.SIGINT)
            for one in running:
                one.wait()
    answers, requests, refused = (after[name] - before[name] for name in ("answers", "requests", "refused"))
    share = answers / (REQUESTS * seconds / 60)
    return f"| {engine} | {share:.1%} | {refused / requests:.1%} | {started:.0f} s | {memory:.0f} MB |"


def _command(folder: Path, output: Path, engine: str) -> "subprocess.Popen[bytes]":
    words = ["--provider", "openai-compatible", "--model", "sim-model", "--output", str(output), "--no-progress"]
    words += ["--runner", engine, "--workers", str(WORKERS), "--concurrency", "100", "--rpm", str(REQUESTS)]
    words += ["--share-limits", str(folder / "limits")]
    environment = os.environ | {"PREFECT_HOME": str(folder / f"prefect-{output.name}"), "PYTHONPATH": os.getcwd()}  # noqa: PTH109
    return subprocess.Popen(
        [sys.executable, "-m", "flows.summarize", str(folder / "documents"), *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def at_work(outputs: Sequence[Path]) -> Iterator[int]:
    """Yield the processes that work for one of the runs: each holds a lock file open."""
    locks = {str(output / ".docmill/workers.lock") for output in outputs}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(file) in locks for file in (process / "fd").iterdir()):  # noqa: PTH115 - one that may be gone
                yield int(process.name)
        except OSError:
            continue


def _megabytes(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0, sys.argv[2:] or ENGINES)
