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

from tests.benchmarks.provider import KEY, Provider
from tests.benchmarks.texts import MODEL, SIZE, english, write_table

HERE = Path(__file__).parents[2]
SETTINGS = {"models": [MODEL], "context": 128_000, "remember": False}


class Measured(NamedTuple):
    """What a command made: calls a second between its answers, seconds of processor time, and of the clock."""

    rate: float
    processor: float
    wall: float


def run_command(checkout: Path, flow: str, table: Path, output: Path, *flags: str) -> Measured:
    """Run a flow's command of a checkout over a table. Raises CalledProcessError where it fails."""
    command = [
        sys.executable, "-m", f"flows.{flow}", str(table), "--text-column", "text", "--id-column", "id",
        "--provider", "openai-compatible", "--output", str(output), "--no-progress", "--json", *flags,
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
        write_table(table, written)
        write_table(one, written[:1])
        bares: list[float] = []
        found: dict[Path, list[tuple[Measured, Measured]]] = {path: [] for path in checkouts}
        flags = ("--model", MODEL, "--concurrency", str(in_flight))
        run_command(HERE, "summarize", one, folder / "warm", *flags)
        for turn in range(rounds):
            bares.append(asyncio.run(bare(provider.url, written, in_flight)))
            for number, path in list(enumerate(checkouts))[:: 1 if turn % 2 else -1]:
                outputs = folder / f"one-{turn}-{number}", folder / f"out-{turn}-{number}"
                start, whole = (
                    run_command(path, "summarize", inputs, output, *flags)
                    for inputs, output in zip((one, table), outputs, strict=True)
                )
                found[path].append((start, whole))
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
