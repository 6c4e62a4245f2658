"""The whole command on natural text with a catalogue model, against a bare aiohttp loop that sends as many bytes.

`python -m tests.benchmarks.command [texts=6000] [in flight=500] [rounds=3] [CHECKOUT …]`: English of 4,000 characters,
a Parquet column, `flows.summarize` with mistral-nemo and its own tokenizer at a provider that answers at once, in a
process of its own, and a Prefect server that is there. Other checkouts of the project are run beside this one, in
turn. A rate is that of the calls from the first answer to the last; processor time is the command's own with its
children's, less that of the same command over one text.
"""

import asyncio
import json
import os
import pydoc_data.topics
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.provider import KEY, Provider

HERE = Path(__file__).parents[2]
MODEL, SIZE = "mistral-nemo", 4000
SETTINGS = {"models": [MODEL], "context": 128_000, "remember": False}


class Measured(NamedTuple):
    """What a command made: calls a second between its answers, seconds of processor time, and of the clock."""

    rate: float
    processor: float
    wall: float


def english(count: int, size: int = SIZE) -> Iterator[str]:
    """Yield texts of the prose about Python that comes with it, none of which is another."""
    luck = random.Random(7)
    whole = "\n\n".join(pydoc_data.topics.topics.values())
    paragraphs = [" ".join(one.split()) for one in re.split(r"\n\s*\n", whole) if len(one) > 200]
    for number in range(count):
        text = f"{number}. "
        while len(text) < size:
            text += luck.choice(paragraphs) + "\n\n"
        yield text[:size]


def write_texts(path: Path, texts: list[str]) -> None:
    """Write texts as a table of `id` and `text`."""
    ids = [f"{number:06d}" for number in range(len(texts))]
    pq.write_table(pa.table({"id": ids, "text": texts}), path)


def run_command(checkout: Path, table: Path, output: Path, in_flight: int) -> Measured:
    """Run the command of a checkout over a table. Raises CalledProcessError where it fails."""
    command = [
        sys.executable, "-m", "flows.summarize", str(table), "--text-column", "text", "--id-column", "id",
        "--provider", "openai-compatible", "--model", MODEL, "--concurrency", str(in_flight),
        "--output", str(output), "--no-progress", "--json",
    ]  # fmt: skip
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    calls = f"from '{output}/calls/*.parquet'"
    with duckdb.connect() as connection:
        query = f"select count(*), epoch(max(created_at) - min(created_at)) {calls}"
        ((count, seconds),) = connection.execute(query).fetchall()
    return Measured(count / max(seconds, 1e-9), processor, wall)


async def bare(url: str, texts: list[str], in_flight: int) -> float:
    """Send as many requests of the same size with nothing around them; return how many a second."""
    asked = {"model": MODEL, "max_tokens": 512}
    bodies = [json.dumps({**asked, "messages": [{"role": "user", "content": text}]}).encode() for text in texts]
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    slots = asyncio.Semaphore(in_flight)

    async def one(session: aiohttp.ClientSession, body: bytes) -> None:
        async with slots, session.post(f"{url}/chat/completions", data=body, headers=headers) as reply:
            await reply.json()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        began = time.perf_counter()
        await asyncio.gather(*(one(session, body) for body in bodies))
        return len(bodies) / (time.perf_counter() - began)


@contextmanager
def prefect_server(folder: Path) -> Iterator[None]:
    """Have a Prefect server run for the block: none is started by each command then."""
    home = {"PREFECT_HOME": str(folder), "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    port = "4297"
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", port, "--no-ui"]
    environment = os.environ | home
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ |= home | {"PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    try:
        asyncio.run(_answers(f"http://127.0.0.1:{port}/api/health"))
        yield
    finally:
        server.terminate()
        server.wait()


async def _answers(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(300):
            try:
                async with session.get(url) as reply:
                    if reply.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)
    raise TimeoutError(f"no answer from {url}")


def main(texts: int, in_flight: int, rounds: int, checkouts: list[Path]) -> None:
    """Measure all in turn; print medians, and this checkout's shares round by round."""
    with tempfile.TemporaryDirectory() as name, Provider(SETTINGS) as provider, prefect_server(Path(name) / "prefect"):
        folder = Path(name)
        written = list(english(texts))
        table, one = folder / "texts.parquet", folder / "one.parquet"
        write_texts(table, written)
        write_texts(one, written[:1])
        bares: list[float] = []
        found: dict[Path, list[tuple[Measured, Measured]]] = {path: [] for path in checkouts}
        run_command(HERE, one, folder / "warm", in_flight)
        for turn in range(rounds):
            bares.append(asyncio.run(bare(provider.url, written, in_flight)))
            for number, path in list(enumerate(checkouts))[:: 1 if turn % 2 else -1]:
                start = run_command(path, one, folder / f"one-{turn}-{number}", in_flight)
                found[path].append((start, run_command(path, table, folder / f"out-{turn}-{number}", in_flight)))
        _print(texts, in_flight, bares, found)


def _print(texts: int, in_flight: int, bares: list[float], found: dict[Path, list[tuple[Measured, Measured]]]) -> None:
    print(f"{texts:,} texts of {SIZE:,} characters, {in_flight} in flight, medians of {len(bares)} rounds")
    print(f"bare aiohttp: {statistics.median(bares):,.0f} calls a second")
    print("| checkout | calls/s | of aiohttp | processor time a call | whole command | one text |")
    print("|---|---|---|---|---|---|")
    for path, rounds in found.items():
        rate = statistics.median(run.rate for _, run in rounds)
        share = statistics.median(run.rate / other for (_, run), other in zip(rounds, bares, strict=True))
        processor = statistics.median(run.processor - short.processor for short, run in rounds) / texts
        start, wall = (statistics.median(one.wall for one in column) for column in zip(*rounds, strict=True))
        print(f"| {path.name} | {rate:,.0f} | {share:.2f} | {processor * 1000:.2f} ms | {wall:.1f} s | {start:.1f} s |")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    others = [Path(word).resolve() for word in sys.argv[1:] if not word.isdigit()]
    texts, in_flight, rounds = [*numbers, *(6000, 500, 3)[len(numbers) :]]
    main(texts, in_flight, rounds, [HERE, *others])
