"""A job's shards, whichever flow it is of."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tasks.documents.document import Document
from tasks.embeddings.embed_job import EmbedJob
from tasks.embeddings.embed_shard import embed_shards, run_embed_shard
from tasks.jobs.document_shard import Worked, run_shard, shards
from tasks.jobs.job import Job

# The next shard is due when fewer documents than this wait to be read.
READ_AHEAD = 500
LOOK_AGAIN_SECONDS = 0.05


class Shard(NamedTuple):
    """Documents that are worked on together: the shard's number, from 1 in their order, and the part of their rows.

    `again`: it was begun by a worker that was lost.
    """

    number: int
    part: int
    documents: Sequence[Document]
    again: bool = False


def shards_of(job: Job[Any]) -> Iterator[Shard]:
    """Yield the shards of a job."""
    if isinstance(job, EmbedJob):
        groups = embed_shards(job.documents(), job.strategists[0].cutter.limit, job.packing.inputs)
    else:
        groups = shards(job.documents(), job.prepared.job_routes[0].route.window.context)
    for number, documents in enumerate(groups, 1):
        shard = Shard(number, job.ledger.new_part(), documents)
        expect(job, shard)
        yield shard


def shards_ahead(job: Job[Any]) -> Iterator[Shard | None]:
    """Yield the shards of a job, each before the ones before it run dry; None now and then while it is too early."""
    for shard in shards_of(job):
        yield shard
        while not is_hungry(job) and not job.stopped():
            time.sleep(LOOK_AGAIN_SECONDS)
            yield None


def is_hungry(job: Job[Any]) -> bool:
    """Whether too few documents wait to be read."""
    return job.waiting.unread < READ_AHEAD


def expect(job: Job[Any], shard: Shard) -> None:
    """Have a shard read behind those that came before it; one that is done again needn't wait: others wait for it."""
    if isinstance(job, EmbedJob) and not shard.again:
        job.turns.expect(shard.number)


async def work_on(job: Job[Any], shard: Shard) -> Worked:
    """Answer or embed a shard's documents and write their rows."""
    if isinstance(job, EmbedJob):
        worked = await run_embed_shard(job, shard.number, shard.documents, shard.part)
    else:
        worked = await run_shard(job, shard.documents, shard.part)
    # Only now, so that a shard that is run again isn't counted twice.
    job.unchanged += worked.unchanged
    return worked
