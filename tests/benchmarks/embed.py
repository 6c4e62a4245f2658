"""Texts of a Parquet column into vectors, against a bare aiohttp loop that sends the same requests, in one run.

`python -m tests.benchmarks.embed [texts=60000] [dimensions=1024] [rounds=3]`: English of 300 characters, the whole
`flows.embed` command with mistral-embed and its own tokenizer, at a provider that takes 2,048 inputs a request and
answers in base64, in a process of its own, and a Prefect server that is there. The bare loop sends bodies made
before and reads the vectors, no more. Both are divided by the time of the requests: of the command, that of the same
command over one text is taken off.
"""

import asyncio
import base64
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import numpy as np
import orjson
import pyarrow.parquet as pq

from tests.benchmarks.command import HERE, prefect_server, run_command
from tests.benchmarks.provider import KEY, Provider
from tests.benchmarks.texts import english, write_table
from tests.simulator import vector_of

MODEL, SIZE, INPUTS, LOOKED_AT = "mistral-embed", 300, 2048, 500


def main(count: int, dimensions: int, rounds: int) -> None:
    """Measure both in turn, and compare the vectors that are looked at with their texts'."""
    settings = {"models": [MODEL], "context": 8192, "remember": False, "dimensions": dimensions}
    texts = list(english(count, SIZE))
    with tempfile.TemporaryDirectory() as name, Provider(settings) as provider, prefect_server(Path(name) / "prefect"):
        folder = Path(name)
        table, one = folder / "texts.parquet", folder / "one.parquet"
        write_table(table, texts)
        write_table(one, texts[:1])
        flags = ("--model", MODEL)
        run_command(HERE, "embed", one, folder / "warm", *flags)
        bares, ours, costs = list[float](), list[float](), list[float]()
        for turn in range(rounds):
            bares.append(count / asyncio.run(_bare(provider.url, texts)))
            start = run_command(HERE, "embed", one, folder / f"one-{turn}", *flags)
            whole = run_command(HERE, "embed", table, folder / f"out-{turn}", *flags)
            ours.append(count / (whole.wall - start.wall))
            costs.append((whole.processor - start.processor) / count)
            _look(folder / f"out-{turn}", dimensions)
    print(
        f"{count:,} texts of {SIZE} characters, {dimensions:,} dimensions; texts a second, medians of {rounds} rounds"
    )
    print("| bare aiohttp | docmill | of it | processor time a text |\n|---|---|---|---|")
    share = statistics.median(mine / other for mine, other in zip(ours, bares, strict=True))
    rates = f"{statistics.median(bares):,.0f} | {statistics.median(ours):,.0f} | {share:.2f}"
    print(f"| {rates} | {statistics.median(costs) * 1e6:.0f} µs |")


async def _bare(url: str, texts: list[str]) -> float:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    groups = (texts[start : start + INPUTS] for start in range(0, len(texts), INPUTS))
    bodies = [orjson.dumps({"model": MODEL, "input": group, "encoding_format": "base64"}) for group in groups]
    slots = asyncio.Semaphore(16)

    async def one(session: aiohttp.ClientSession, body: bytes) -> None:
        async with slots, session.post(f"{url}/embeddings", data=body, headers=headers) as reply:
            for record in orjson.loads(await reply.read())["data"]:
                np.frombuffer(base64.b64decode(record["embedding"]), dtype="<f4")

    async with aiohttp.ClientSession() as session:
        began = time.perf_counter()
        await asyncio.gather(*(one(session, body) for body in bodies))
        return time.perf_counter() - began


def _look(output: Path, dimensions: int) -> None:
    rows = pq.read_table(output / "chunks", columns=["text", "embedding"])
    for row in rows.take(random.Random(1).sample(range(rows.num_rows), min(LOOKED_AT, rows.num_rows))).to_pylist():
        assert np.array_equal(np.array(row["embedding"], np.float32), vector_of(row["text"], dimensions))


if __name__ == "__main__":
    main(*[*map(int, sys.argv[1:]), *(60_000, 1024, 3)[len(sys.argv) - 1 :]])
