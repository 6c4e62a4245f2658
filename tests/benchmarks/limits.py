"""How much of a provider's limit is used, and how many requests it refuses.

`python -m tests.benchmarks.limits [seconds=180]`: the whole pipeline, Prefect apart,
against simulated providers with limits of every kind, some side by side; each is
stopped after so many seconds. A bucket gives its minute's worth at the start and fills up
meanwhile: more than 100 % is possible then. With `follow` in place of the seconds:
limits that change during the run.
"""

import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tasks.base.errors import Interrupted
from tasks.jobs.document_shard import run_shard, shards
from tasks.jobs.job import Job
from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tasks.running.opening import open_job
from tests.benchmarks.provider import Provider
from tests.benchmarks.texts import write_documents

DOCUMENTS = 8000
LATENCY = 0.3
AT_ONCE = 9
HALVED, RESTORED = 90, 210
REQUESTS, TOKENS = 1200, 1_500_000

Case = tuple[str, dict[str, Any], dict[str, int], int, str]


def cases() -> list[Case]:
    """Name, the provider's quota, our flags, what of it is allowed in a minute, and its unit."""
    found: list[Case] = []
    for unit, amount, flag in (("requests", REQUESTS, "rpm"), ("tokens", TOKENS, "tpm")):
        for kind in ("sliding", "fixed", "bucket"):
            allowance = {"unit": unit, "amount": amount, "kind": kind, "settled": True}
            quota = {"allowances": [allowance], "retry_after": "exact"}
            found.append((f"{kind}, declared", quota, {flag: amount}, amount, unit))
            found.append((f"{kind}, told by headers", quota | {"spelling": "openai"}, {}, amount, unit))
            found.append((f"{kind}, Retry-After only", quota, {}, amount, unit))
    return found


def main(seconds: float, *only: str) -> None:
    """Measure the cases, some side by side in processes of their own, and print a line of each."""
    print(f"{REQUESTS:,} requests or {TOKENS:,} tokens a minute, {LATENCY} s a call, {seconds:.0f} s each")
    print("| limit | used | refused |\n|---|---|---|")
    numbers = [number for number, case in enumerate(cases()) if not only or any(word in _title(case) for word in only)]
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(AT_ONCE, get_context("spawn")) as pool:
        write_documents(Path(folder) / "documents", DOCUMENTS)
        for line in pool.map(partial(_measure, Path(folder), seconds), numbers):
            print(line, flush=True)


def _title(case: Case) -> str:
    return f"{case[4]}, {case[0]}"


def _measure(folder: Path, seconds: float, number: int) -> str:
    case = cases()[number]
    _, quota, flags, amount, unit = case
    with Provider({"context": 8192, "latency": LATENCY, "quota": quota, "remember": False}) as provider:
        options = Options(
            output=folder / f"out{number}", provider="openai-compatible", model="sim-model", concurrency=100, **flags
        )
        with open_job(prepare("summarize", [str(folder / "documents")], options)) as job:
            run_for(job, seconds)
        counts = provider.counts()
    used = counts["answers"] if unit == "requests" else counts["prompt_tokens"] + counts["completion_tokens"]
    share, refused = used / (amount * seconds / 60), counts["refused"] / max(1, counts["requests"])
    return f"| {_title(case)} | {share:.1%} | {refused:.1%} |"


def follow(*only: str) -> None:
    """Halve a limit during the run, and double it later; print how much is used from 30 s after each change."""
    print(f"{REQUESTS:,} requests a minute, half of it from {HALVED} s to {RESTORED} s; used from 30 to 90 s after")
    print("| limit | half, used | whole again, used | refused |\n|---|---|---|---|")
    found = [case for case in cases() if case[4] == "requests" and "declared" not in case[0]]
    numbers = [cases().index(case) for case in found if not only or any(word in _title(case) for word in only)]
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(AT_ONCE, get_context("spawn")) as pool:
        write_documents(Path(folder) / "documents", DOCUMENTS)
        for line in pool.map(partial(_follow, Path(folder)), numbers):
            print(line, flush=True)


def _follow(folder: Path, number: int) -> str:
    _, quota, _, amount, _ = case = cases()[number]
    (allowance,) = quota["allowances"]
    with Provider({"context": 8192, "latency": LATENCY, "quota": quota, "remember": False}) as provider:
        options = Options(
            output=folder / f"out{number}", provider="openai-compatible", model="sim-model", concurrency=100
        )
        with open_job(prepare("summarize", [str(folder / "documents")], options)) as job, ThreadPoolExecutor(1) as pool:
            began = time.monotonic()
            done = pool.submit(run_for, job, RESTORED + 95)
            used = []
            for at, now in ((HALVED, amount / 2), (RESTORED, amount)):
                _until(began + at)
                provider.change({"quota": quota | {"allowances": [allowance | {"amount": now}]}})
                _until(began + at + 30)
                before = provider.counts()["answers"]
                _until(began + at + 90)
                used.append((provider.counts()["answers"] - before) / now)
            done.result()
        counts = provider.counts()
    return f"| {_title(case)} | {used[0]:.1%} | {used[1]:.1%} | {counts['refused'] / counts['requests']:.1%} |"


def _until(when: float) -> None:
    time.sleep(max(0.0, when - time.monotonic()))


def run_for(job: Job, seconds: float) -> None:
    """Run a job, and interrupt it `seconds` after its start."""
    timer = threading.Timer(seconds, lambda: job.stop(Interrupted(2), 1.0))
    timer.start()
    with ThreadPoolExecutor(64) as pool:
        window = job.prepared.job_routes[0].route.window.context
        for one in [pool.submit(job.run, run_shard(job, group)) for group in shards(job.documents(), window)]:
            one.result()
    timer.cancel()


if __name__ == "__main__":
    if sys.argv[1:2] == ["follow"]:
        follow(*sys.argv[2:])
    else:
        main(float((sys.argv[1:] or ["180"])[0]), *sys.argv[2:])
