"""Make an embedding job, and what asks each of its routes."""

import asyncio
import time

from tasks.errors import UserMistake
from tasks.jobs.embed.cutting import embed_cutter
from tasks.jobs.embed.embedder import Embedder
from tasks.jobs.embed.job import TEXTS_AT_ONCE, EmbedJob
from tasks.jobs.embed.shard import texts_a_shard
from tasks.jobs.embed.space import Space
from tasks.jobs.meter import Meter
from tasks.jobs.options import EmbedOptions
from tasks.jobs.pay import Payer
from tasks.jobs.prepare import Prepared
from tasks.jobs.stops import Stop
from tasks.ledger.ledger import Ledger


def embed_job(
    prepared: Prepared, ledger: Ledger, meter: Meter, loop: asyncio.AbstractEventLoop, places: asyncio.Semaphore
) -> EmbedJob:
    """Return the job, without its embedders yet."""
    options, stop = embed_options(prepared), prepared.stops[0]
    space = Space(prepared.vectors, options.dimensions or stop.dimensions)
    now, reading = time.monotonic(), asyncio.Lock()
    job = EmbedJob(prepared, ledger, meter, loop, [], places, reading, now, prepared.work, space=space)
    job.shards = asyncio.Semaphore(TEXTS_AT_ONCE // texts_a_shard(stop.packing(options).inputs))
    return job


def embedder(job: EmbedJob, stop: Stop, payer: Payer) -> Embedder:
    """Return what asks a route."""
    options = embed_options(job.prepared)
    cutter = embed_cutter(stop.route, stop.tokenizer, options)
    packing = stop.packing(options)
    return Embedder(
        payer, job.meter, cutter, packing, job.space, options.dimensions, stop.provider.base64, job.claims.foreseen
    )


def embed_options(prepared: Prepared) -> EmbedOptions:
    """Return the options of an embedding job. Raises UserMistake where they are another flow's."""
    if not isinstance(prepared.options, EmbedOptions):
        raise UserMistake("embed takes EmbedOptions")
    return prepared.options
