"""A job's shards, whichever flow it is of."""

from collections.abc import Iterator, Sequence
from typing import Any

from tasks.documents.document import Document
from tasks.jobs.embed.job import EmbedJob
from tasks.jobs.embed.shard import embed_shards, run_embed_shard
from tasks.jobs.job import Job
from tasks.jobs.shard import run_shard, shards


def shards_of(job: Job[Any]) -> Iterator[list[Document]]:
    """Yield the documents of a job in the groups that are worked on together."""
    if isinstance(job, EmbedJob):
        return embed_shards(job.documents(), job.strategists[0].cutter.limit, job.packing.inputs)
    return shards(job.documents(), job.prepared.stops[0].route.window.context)


async def work_on(job: Job[Any], number: int, documents: Sequence[Document]) -> int:
    """Answer or embed a shard's documents and write their rows; return how many were written."""
    if isinstance(job, EmbedJob):
        return await run_embed_shard(job, number, documents)
    return await run_shard(job, documents)
