"""The whole pipeline against a bare aiohttp loop that sends the same bodies, in one run.

`python -m tests.benchmarks.throughput [documents] [in_flight]`: the simulated provider
answers at once, in a process of its own; the pipeline reads, chunks, dispatches,
records and writes Parquet, without Prefect. Prints calls a second and their ratio.
"""

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

from tasks.jobs.opening import open_job
from tasks.jobs.options import Options
from tasks.jobs.prepare import prepare
from tasks.jobs.shard import run_shard, shards
from tasks.providers.openai import OpenAI
from tasks.providers.wire import Completion, Message, encode

KEY = "secret-key-of-the-tests"
SIZE = 4000
ROUNDS = 3
WORDS = ("the", "river", "ran", "through", "a", "valley", "and", "its", "mill", "turned", "by", "day", "and", "night")


def main(documents: int, in_flight: int) -> None:
    """Measure both, in turn, ROUNDS times."""
    server = subprocess.Popen([sys.executable, "-m", "tests.simulator", "0"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    os.environ |= {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": KEY}
    try:
        with tempfile.TemporaryDirectory() as folder:
            texts = _write_documents(Path(folder) / "documents", documents)
            print(f"{documents} documents of {SIZE} characters, {in_flight} in flight")
            for number in range(ROUNDS):
                bare = documents / asyncio.run(_bare(url, texts, in_flight))
                ours = documents / _pipeline(Path(folder), number, in_flight)
                print(f"bare aiohttp {bare:7.0f} calls/s   docmill {ours:7.0f} calls/s   ratio {ours / bare:.2f}")
    finally:
        server.terminate()
        server.wait()


def _write_documents(folder: Path, count: int) -> list[str]:
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


def _body(text: str) -> dict[str, Any]:
    return OpenAI().completion(Completion("sim-model", (Message("user", text),), 512))[1]


def _pipeline(folder: Path, number: int, in_flight: int) -> float:
    """Run a whole job from the folder to its Parquet; return the seconds."""
    options = Options(
        output=folder / f"out{number}", provider="openai-compatible", model="sim-model", concurrency=in_flight
    )
    began = time.perf_counter()
    prepared = prepare("summarize", [str(folder / "documents")], options)
    with open_job(prepared) as job:

        async def every() -> None:
            groups = shards(job.documents(), prepared.stops[0].route.window.context)
            await asyncio.gather(*(run_shard(job, group) for group in groups))

        job.run(every())
        record, code = job.conclude()
    assert code == 0
    assert record.totals.done == record.totals.calls
    return time.perf_counter() - began


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:] or ("4000", "500")))
