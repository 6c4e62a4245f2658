"""The shards of a job, for all flows."""

import time
from collections.abc import Iterator
from typing import Any

from tasks.jobs.document_shard import Worked
from tasks.jobs.job import Job
from tasks.running.work import Shard, work_of

# The next shard is due when fewer documents than this wait to be read.
READ_AHEAD = 500
LOOK_AGAIN_SECONDS = 0.05


def shards_of(job: Job[Any]) -> Iterator[Shard]:
    """Yield the shards of a job."""
    work = work_of(job.prepared.options)
    for number, documents in enumerate(work.groups(job), 1):
        shard = Shard(number, job.ledger.new_part(), documents)
        work.expect(job, shard)
        yield shard


def shards_ahead(job: Job[Any]) -> Iterator[Shard | None]:
    """Yield each shard before its predecessors are used up; None now and then while it is too early for one."""
    for shard in shards_of(job):
        yield shard
        while not is_hungry(job) and not job.stopped():
            time.sleep(LOOK_AGAIN_SECONDS)
            yield None


def is_hungry(job: Job[Any]) -> bool:
    """Whether too few documents wait to be read."""
    return job.scheduler.unread < READ_AHEAD


async def work_on(job: Job[Any], shard: Shard) -> Worked:
    """Answer or embed a shard's documents and write their rows."""
    worked = await work_of(job.prepared.options).run(job, shard)
    # Only now, so that a shard that is run again isn't counted twice.
    job.unchanged += worked.unchanged
    return worked
