"""Make an embedding job, and what asks each of its routes."""

import asyncio
import time

from tasks.base.errors import UserMistake
from tasks.calls.embedding_cutter import embed_cutter
from tasks.calls.payments import BudgetedDispatcher
from tasks.calls.progress import Meter
from tasks.embeddings.embed_job import TEXTS_AT_ONCE, EmbedJob
from tasks.embeddings.embed_shard import texts_a_shard
from tasks.embeddings.embedder import Embedder
from tasks.embeddings.space import Space
from tasks.ledger.ledger import Ledger
from tasks.planning.job_routes import JobRoute
from tasks.planning.prepare import Prepared
from tasks.prompting.options import EmbedOptions


def embed_job(
    prepared: Prepared, ledger: Ledger, meter: Meter, loop: asyncio.AbstractEventLoop, places: asyncio.Semaphore
) -> EmbedJob:
    """Return the job, without its embedders yet."""
    options, stop = embed_options(prepared), prepared.job_routes[0]
    space = Space(prepared.vectors, options.dimensions or stop.dimensions)
    now, reading = time.monotonic(), asyncio.Lock()
    job = EmbedJob(prepared, ledger, meter, loop, [], places, reading, now, prepared.work, space=space)
    job.shards = asyncio.Semaphore(TEXTS_AT_ONCE // texts_a_shard(stop.packing(options).inputs))
    return job


def embedder(job: EmbedJob, stop: JobRoute, payer: BudgetedDispatcher) -> Embedder:
    """Return what asks a route."""
    options = embed_options(job.prepared)
    cutter = embed_cutter(stop.route, stop.tokenizer, options)
    packing = stop.packing(options)
    return Embedder(
        payer, job.meter, cutter, packing, job.space, options.dimensions, stop.provider.base64, job.claims.foreseen
    )


def embed_options(prepared: Prepared) -> EmbedOptions:
    """Return the options of an embedding job. Raises UserMistake where they are another flow's."""
    if prepared.options.embedding is None:
        raise UserMistake("embed takes EmbedOptions")
    return prepared.options.embedding
