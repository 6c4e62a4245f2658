"""How well several processes share one limit: how much of it is used, and how many requests are refused.

`python -m tests.benchmarks.shared_limits [seconds=60] [processes=4] [PLACE]`: so many processes at once,
each with a job of its own (the pipeline, Prefect apart), against one simulated provider with a quota of
1,200 requests in any minute. First without sharing (each believes that it has the limit for itself), then
with `--share-limits`, in a file or where PLACE says. Counted from when all have begun.
"""

import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tasks.running.opening import open_job
from tests.benchmarks.limits import run_for
from tests.benchmarks.provider import Provider
from tests.benchmarks.texts import write_documents

REQUESTS, LATENCY, DOCUMENTS = 1200, 0.3, 3000
SETTLING = 10.0


def main(seconds: float, processes: int, place: str) -> None:
    """Measure both, and print a line of each."""
    print(f"{processes} processes, {REQUESTS:,} requests a minute, {LATENCY} s a call, {seconds:.0f} s")
    print("| limit | used | refused | by process |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        write_documents(Path(folder) / "documents", DOCUMENTS)
        print(_measure(Path(folder), seconds, processes, None), flush=True)
        print(_measure(Path(folder), seconds, processes, place or f"{folder}/limits"), flush=True)


def _measure(folder: Path, seconds: float, processes: int, place: str | None) -> str:
    quota = {"allowances": [{"unit": "requests", "amount": REQUESTS}], "retry_after": "exact"}
    settings = {"context": 8192, "latency": LATENCY, "quota": quota, "remember": False}
    run = partial(_run, folder, seconds + 2 * SETTLING, place)
    with (
        Provider(settings) as provider,
        ProcessPoolExecutor(processes, get_context("spawn")) as pool,
        ThreadPoolExecutor(1) as watching,
    ):
        ready = folder / f"ready-{place is None}"
        ready.mkdir()
        watched = watching.submit(_watch, provider, ready, processes, seconds)
        answered = list(pool.map(run, [ready / str(number) for number in range(processes)]))
        answers, requests, refused = watched.result()
    shares = ", ".join(f"{count:,}" for count in sorted(answered))
    share = answers / (REQUESTS * seconds / 60)
    return f"| {'shared' if place else 'each for itself'} | {share:.1%} | {refused / requests:.1%} | {shares} |"


def _watch(provider: Provider, ready: Path, processes: int, seconds: float) -> tuple[int, int, int]:
    """Return what was answered, asked and refused in so many seconds, once all have been at work for a while."""
    while len(os.listdir(ready)) < processes:  # noqa: PTH208 - a count
        time.sleep(0.05)
    time.sleep(SETTLING)
    before = provider.counts()
    time.sleep(seconds)
    after = provider.counts()
    answers, requests, refused = (after[name] - before[name] for name in ("answers", "requests", "refused"))
    return answers, requests, refused


def _run(folder: Path, seconds: float, place: str | None, mark: Path) -> int:
    options = Options(
        output=folder / f"out-{place is None}-{mark.name}",
        provider="openai-compatible",
        model="sim-model",
        concurrency=100,
        rpm=REQUESTS,
        share_limits=place,
    )
    with open_job(prepare("summarize", [str(folder / "documents")], options)) as job:
        mark.touch()
        with suppress(RuntimeError):
            run_for(job, seconds)
        return job.meter.calls


if __name__ == "__main__":
    seconds, processes, place = [*sys.argv[1:], *("60", "4", "")[len(sys.argv) - 1 :]]
    main(float(seconds), int(processes), place)
