"""Make an embedding job, and what asks each of its routes."""

import asyncio

from tasks.base.errors import UserMistake
from tasks.calls.embedding_cutter import embed_cutter
from tasks.calls.route_client import RouteClient
from tasks.embeddings.embed_job import TEXTS_AT_ONCE, EmbedJob
from tasks.embeddings.embed_shard import texts_a_shard
from tasks.embeddings.embedder import Embedder
from tasks.embeddings.space import Space
from tasks.planning.job_routes import JobRoute
from tasks.planning.prepared import Prepared
from tasks.prompting.options import EmbedOptions


def prepare_embed_job(job: EmbedJob) -> None:
    """Set up a job that was just made: the space of its vectors, and how many shards have room at once."""
    options, route = embed_options(job.prepared), job.prepared.job_routes[0]
    job.space = Space(job.prepared.vectors, options.dimensions or route.dimensions)
    job.shards = asyncio.Semaphore(TEXTS_AT_ONCE // texts_a_shard(route.packing(options).inputs))


def embedder(job: EmbedJob, route: JobRoute, client: RouteClient) -> Embedder:
    """Return what asks a route."""
    options = embed_options(job.prepared)
    cutter = embed_cutter(route.route, route.tokenizer, options)
    packing = route.packing(options)
    return Embedder(client, cutter, packing, job.space, options.dimensions, route.provider.base64, job.claims.foreseen)


def embed_options(prepared: Prepared) -> EmbedOptions:
    """Return the options of an embedding job. Raises UserMistake where they are another flow's."""
    if prepared.options.embedding is None:
        raise UserMistake("embed takes EmbedOptions")
    return prepared.options.embedding
