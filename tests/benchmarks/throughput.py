"""The whole pipeline against a bare aiohttp loop and plain httpx that send the same bodies, in one run.

`python -m tests.benchmarks.throughput [documents] [in_flight …]`: the simulated provider
answers at once, in a process of its own; the pipeline reads, chunks, dispatches,
records and writes Parquet, without Prefect. A last round has a watchdog, which
times every callback of the event loop: the longest by the clock, which includes waiting for
a processor that the provider has, and by what the loop's thread computed itself.
"""

import asyncio
import random
import statistics
import sys
import tempfile
import time
from asyncio.events import Handle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import aiohttp
import httpx
import pytest

from tasks.jobs.document_shard import run_shard, shards
from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tasks.providers.protocol import Completion, Message, encode
from tasks.providers.wires.openai import OpenAI
from tasks.running import opening
from tasks.running.opening import open_job
from tests.benchmarks.provider import KEY, Provider

SIZE = 4000
ROUNDS = 5
# Plain httpx is slow at many connections: fewer calls tell its rate as well.
HTTPX_CALLS = 500
WORDS = ("the", "river", "ran", "through", "a", "valley", "and", "its", "mill", "turned", "by", "day", "and", "night")


def main(documents: int, *levels: int) -> None:
    """Measure all, in turn, ROUNDS times; print the medians."""
    with tempfile.TemporaryDirectory() as folder, Provider({"context": 8192, "remember": False}) as provider:
        texts = write_documents(Path(folder) / "documents", documents)
        print(f"{documents} documents of {SIZE} characters; calls a second, medians of {ROUNDS} rounds")
        print("| in flight | bare aiohttp | plain httpx | docmill | of aiohttp | times httpx | longest | computing |")
        print("|---|---|---|---|---|---|---|---|")
        rates: dict[int, list[tuple[float, float]]] = {level: [] for level in levels}
        for number in range(ROUNDS):
            for level in levels:  # in turn, so that a machine that slows down slows them all
                bare = documents / asyncio.run(_bare(provider.url, texts, level))
                rates[level].append((bare, documents / pipeline(Path(folder), f"{level}-{number}", level)))
        for level in levels:
            _print(provider.url, Path(folder), texts, level, rates[level])
        _compare(rates)


def _print(url: str, folder: Path, texts: list[str], level: int, rates: list[tuple[float, float]]) -> None:
    plain = HTTPX_CALLS / asyncio.run(_httpx(url, texts[:HTTPX_CALLS], level))
    with Watchdog() as watchdog, pytest.MonkeyPatch.context() as patch:
        # uvloop's callbacks can't be timed from Python; the work in them is the same.
        patch.setattr(opening, "new_event_loop", asyncio.new_event_loop)
        pipeline(folder, f"{level}-watched", level)
    bare, ours = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = statistics.median(mine / other for other, mine in rates)
    print(
        f"| {level} | {bare:,.0f} | {plain:,.0f} | {ours:,.0f} | {ratio:.2f} "
        f"| {ours / plain:.0f} | {watchdog.longest * 1000:.0f} ms | {watchdog.computing * 1000:.0f} ms |",
        flush=True,
    )


def _compare(rates: dict[int, list[tuple[float, float]]]) -> None:
    """Print how the last two levels compare, round by round: the machine's speed differs between rounds."""
    if len(rates) > 1:
        below, above = list(rates)[-2:]
        pairs = sorted(mine / other for (_, other), (_, mine) in zip(rates[below], rates[above], strict=True))
        print(f"docmill at {above} of its rate at {below}: median {statistics.median(pairs):.2f}, all", end=" ")
        print(", ".join(f"{pair:.2f}" for pair in pairs))


class Watchdog:
    """Times every callback of the thread named `dispatch`, on which a job's event loop runs."""

    def __init__(self) -> None:
        self.longest = self.computing = 0.0
        self._run = Handle._run

    def __enter__(self) -> Self:
        run = self._run

        def timed(handle: Handle) -> None:
            began, computed = time.perf_counter(), time.thread_time()
            run(handle)
            self.computing = max(self.computing, time.thread_time() - computed)
            self.longest = max(self.longest, time.perf_counter() - began)

        Handle._run = timed  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *_: object) -> None:
        Handle._run = self._run  # type: ignore[method-assign]


def write_documents(folder: Path, count: int) -> list[str]:
    """Write `count` files of SIZE characters, and return their texts."""
    folder.mkdir()
    luck = random.Random(4)
    texts = [f"{number} " + " ".join(luck.choices(WORDS, k=SIZE // 5))[:SIZE] for number in range(count)]
    for number, text in enumerate(texts):
        (folder / f"{number:06d}.txt").write_text(text)
    return texts


async def _bare(url: str, texts: list[str], in_flight: int) -> float:
    """Send the same bodies with nothing around them; return the seconds."""
    bodies = [encode(_body(text)) for text in texts]
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    places = asyncio.Semaphore(in_flight)

    async def one(session: aiohttp.ClientSession, body: bytes) -> None:
        async with places, session.post(f"{url}/chat/completions", data=body, headers=headers) as reply:
            await reply.json()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        began = time.perf_counter()
        await asyncio.gather(*(one(session, body) for body in bodies))
        return time.perf_counter() - began


async def _httpx(url: str, texts: list[str], in_flight: int) -> float:
    """The same through httpx alone."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    places = asyncio.Semaphore(in_flight)
    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)

    async def one(client: httpx.AsyncClient, body: bytes) -> None:
        async with places:
            (await client.post(f"{url}/chat/completions", content=body, headers=headers)).json()

    async with httpx.AsyncClient(limits=limits, timeout=60) as client:
        bodies = [encode(_body(text)) for text in texts]
        began = time.perf_counter()
        await asyncio.gather(*(one(client, body) for body in bodies))
        return time.perf_counter() - began


def _body(text: str) -> dict[str, Any]:
    return OpenAI().completion(Completion("sim-model", (Message("user", text),), 512))[1]


def pipeline(folder: Path, name: str, in_flight: int, log: Path | None = None) -> float:
    """Run a whole job from the folder to its Parquet; return the seconds."""
    options = Options(
        output=folder / f"out-{name}",
        provider="openai-compatible",
        model="sim-model",
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
    assert results.totals.done == results.totals.calls
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:] or ("16000", "32", "500", "2000")))
