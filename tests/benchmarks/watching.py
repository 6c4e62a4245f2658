"""What watching costs: the whole pipeline with nobody watching, with a log, with OpenTelemetry, in one run.

`python -m tests.benchmarks.watching [documents] [in_flight]`: a job in this process, without Prefect; the
collector only counts what it is sent, in a process of its own.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from tasks.jobs.document_shard import run_shard, shards
from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tasks.running.opening import open_job
from tests.benchmarks.provider import Provider
from tests.benchmarks.texts import MODEL, write_documents
from tests.loopback import served

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
WAYS = ("nobody", "a log", "OpenTelemetry")
ROUNDS = 5
SETTINGS = {"models": [MODEL], "context": 128_000, "remember": False}


def main(documents: int, in_flight: int) -> None:
    """Measure all ways in turn, ROUNDS times; print the medians, and how each compares with nobody, by round."""
    with tempfile.TemporaryDirectory() as name, Provider(SETTINGS), collector() as url:
        folder = Path(name)
        write_documents(folder / "documents", documents)
        rates: dict[str, list[float]] = {way: [] for way in WAYS}
        costs: dict[str, list[float]] = {way: [] for way in WAYS}
        for number in range(ROUNDS):
            for way in WAYS:
                os.environ.pop(ENDPOINT, None)
                if way == "OpenTelemetry":
                    os.environ[ENDPOINT] = url
                log = folder / f"{number}.jsonl" if way == "a log" else None
                computed = time.process_time()
                rates[way].append(documents / pipeline(folder, f"{way}-{number}", in_flight, log))
                costs[way].append((time.process_time() - computed) / documents * 1e6)
        lines = [len((folder / f"{number}.jsonl").read_bytes().splitlines()) for number in range(ROUNDS)]
    print(f"{documents} documents, {in_flight} in flight; {lines[0]} lines of log")
    print("| watched by | calls a second | of nobody | by round | processor time a call |")
    print("|---|---|---|---|---|")
    for way, found in rates.items():
        shares = [mine / bare for mine, bare in zip(found, rates["nobody"], strict=True)]
        print(
            f"| {way} | {statistics.median(found):,.0f} | {statistics.median(shares):.2f} "
            f"| {', '.join(f'{share:.2f}' for share in shares)} | {statistics.median(costs[way]):.0f} µs |"
        )


def pipeline(folder: Path, name: str, in_flight: int, log: Path | None = None) -> float:
    """Run a whole job from the folder to its Parquet; return the seconds."""
    options = Options(
        output=folder / f"out-{name}",
        provider="openai-compatible",
        model=MODEL,
        concurrency=in_flight,
        log=str(log) if log else None,
    )
    began = time.perf_counter()
    prepared = prepare("summarize", [str(folder / "documents")], options)
    with open_job(prepared) as job, ThreadPoolExecutor(64) as pool:
        window = prepared.job_routes[0].route.window.context
        done = [pool.submit(job.run, run_shard(job, group)) for group in shards(job.documents(), window)]
        for one in done:
            one.result()
        results = job.conclude()
    assert results.exit_code == 0
    assert results.totals.done == results.totals.documents
    return time.perf_counter() - began


@contextmanager
def collector() -> Iterator[str]:
    """Yield the URL of a collector in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.watching", "--collect"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


async def _swallow(request: web.Request) -> web.Response:
    await request.read()
    return web.Response()


def collect() -> None:
    """Serve a collector until this process is ended."""
    application = web.Application(client_max_size=2**30)
    application.router.add_post("/{path:.*}", _swallow)
    with served(application) as root:
        print(root, flush=True)
        asyncio.run(asyncio.Event().wait())


if __name__ == "__main__":
    if sys.argv[1:] == ["--collect"]:
        collect()
    else:
        main(*(int(word) for word in (sys.argv[1:] or ["16000", "500"])))
