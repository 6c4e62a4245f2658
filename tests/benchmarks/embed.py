"""Short texts of a Parquet column into vectors, against a bare aiohttp loop that sends the same requests, in one run.

`python -m tests.benchmarks.embed [texts] [dimensions]`: the simulated provider takes 2,048
inputs a request and answers in base64, in a process of its own on the same processors; the
pipeline reads, counts, packs, records and writes Parquet, without Prefect. The bare loop sends bodies
made before and reads the vectors, no more. The peak of memory is this process's.
"""

import asyncio
import base64
import random
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import aiohttp
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.planning.prepare import prepare
from tasks.prompting.options import EmbedOptions
from tasks.running.opening import open_job
from tasks.running.shards import shards_of, work_on
from tests.benchmarks.provider import KEY, Provider
from tests.benchmarks.throughput import WORDS
from tests.simulator import vector_of

INPUTS = 2048
LOOKED_AT = 2000


def main(count: int, dimensions: int) -> None:
    """Measure both, and compare every vector that is looked at with its text's."""
    settings = {"context": 8192, "remember": False, "dimensions": dimensions}
    with tempfile.TemporaryDirectory() as name, Provider(settings) as provider:
        folder, texts = Path(name), made(count)
        pq.write_table(
            pa.table({"id": [str(number) for number in range(count)], "text": texts}), folder / "texts.parquet"
        )
        bare = count / asyncio.run(_bare(provider.url, texts))
        ours = count / pipeline(folder)
        _look(folder / "out", dimensions)
    print(f"{count:,} texts, {dimensions} dimensions, {INPUTS:,} inputs a request; texts a second")
    print("| bare aiohttp | docmill | of it | peak of memory |\n|---|---|---|---|")
    print(f"| {bare:,.0f} | {ours:,.0f} | {ours / bare:.2f} | {peak_megabytes():,.0f} MB |")


def made(count: int) -> list[str]:
    """Return so many texts of fifteen words, no two alike."""
    luck = random.Random(4)
    return [f"{' '.join(luck.choices(WORDS, k=14))} {number}" for number in range(count)]


def pipeline(folder: Path) -> float:
    """Embed the table; return the seconds."""
    began = time.perf_counter()
    options = EmbedOptions(
        output=str(folder / "out"), provider="openai-compatible", model="sim-model", text_column="text", id_column="id"
    )
    prepared = prepare("embed", [str(folder / "texts.parquet")], options)
    with open_job(prepared) as job, ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda shard: job.run(work_on(job, shard)), shards_of(job)))
        totals = job.conclude().totals
    assert totals.done == totals.documents
    return time.perf_counter() - began


async def _bare(url: str, texts: list[str]) -> float:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    groups = (texts[start : start + INPUTS] for start in range(0, len(texts), INPUTS))
    bodies = [orjson.dumps({"model": "sim-model", "input": group, "encoding_format": "base64"}) for group in groups]
    places = asyncio.Semaphore(16)

    async def one(session: aiohttp.ClientSession, body: bytes) -> None:
        async with places, session.post(f"{url}/embeddings", data=body, headers=headers) as reply:
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


def peak_megabytes() -> float:
    """Return the most memory that this process has held."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:] or ("100000", "256")))
