"""The two kinds of work, completions of texts and embeddings of their chunks, and what differs between them."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, TypeVar

from tasks.base.errors import UserMistake
from tasks.calls.asker import Asker
from tasks.calls.recorder import CallRecorder
from tasks.calls.route_client import RouteClient
from tasks.calls.scheduler import RouteUser
from tasks.dispatch.exchanger import Sender
from tasks.documents.document import Document
from tasks.embeddings.embed_job import Claiming, EmbedJob
from tasks.embeddings.embed_shard import embed_shards, run_embed_shard
from tasks.embeddings.embedder import Embedder
from tasks.embeddings.making import embedder, prepare_embed_job
from tasks.jobs.document_shard import Worked, run_shard, shards
from tasks.jobs.job import Job
from tasks.models.catalogue import Provider
from tasks.models.route import Route
from tasks.planning.job_routes import JobRoute
from tasks.planning.prepared import Prepared
from tasks.prompting.conversation import ConversationBuilder
from tasks.prompting.options import Options
from tasks.providers.account import Account
from tasks.providers.local_server import local_server
from tasks.providers.local_vectors import ACCOUNT, LocalVectors
from tasks.strategies.named import STRATEGIES
from tasks.strategies.text_answerer import TextAnswerer

LOCAL_SLOTS = 4
J = TypeVar("J", bound=Job[Any])


class Shard(NamedTuple):
    """Documents that are worked on together: the shard's number, from 1 in their order, and the part of their rows.

    `again`: it was begun by a worker that was lost.
    """

    number: int
    part: int
    documents: Sequence[Document]
    again: bool = False


class Work(Protocol[J]):
    """One kind of work: how its job is made, how its routes are asked, and how its shards are worked on."""

    def job_type(self) -> type[J]:
        """Return the class of its jobs."""
        ...

    def prepare(self, job: J) -> None:
        """Set up a job that was just made, before its routes are opened."""
        ...

    def operation(self, route: Route) -> str:
        """Return what a route is asked for, in OpenTelemetry's words."""
        ...

    def local(self, prepared: Prepared, route: JobRoute, slots: int) -> contextlib.AbstractContextManager[Account]:
        """Have a model of this machine at hand for the block. Raises UserMistake where it has no file."""
        ...

    def answerer(self, job: J, route: JobRoute, client: RouteClient) -> RouteUser:
        """Return what asks a route."""
        ...

    def groups(self, job: J) -> Iterator[list[Document]]:
        """Yield the documents of one shard after another."""
        ...

    def expect(self, job: J, shard: Shard) -> None:
        """Announce a shard, so that it waits for those before it where their order matters."""
        ...

    def share(self, job: J, claiming: Claiming) -> None:
        """Work beside other workers, which may have claimed what this one needs."""
        ...

    async def run(self, job: J, shard: Shard) -> Worked:
        """Work on a shard's documents, and write their rows."""
        ...


class Completions:
    """Completions over documents: shards need not wait for each other."""

    def job_type(self) -> type[Job]:
        """Return the class of its jobs."""
        return Job

    def prepare(self, job: Job) -> None:
        """Do nothing: the job is ready."""

    def operation(self, route: Route) -> str:
        """Return what a route is asked for."""
        return "text_completion" if route.is_base_model else "chat"

    def local(self, prepared: Prepared, route: JobRoute, slots: int) -> contextlib.AbstractContextManager[Account]:
        """Run llama.cpp's server for the block. Raises UserMistake where the model has no file."""
        if prepared.local_model is None:
            raise UserMistake("the local model has no file: name one in DOCMILL_LOCAL_MODEL")
        # Each slot holds a whole context in memory; calls beyond them wait at the server.
        return local_server(prepared.local_model, context=route.route.window.context, slots=min(slots, LOCAL_SLOTS))

    def answerer(self, job: Job, route: JobRoute, client: RouteClient) -> TextAnswerer:
        """Return what asks a route for answers, by the job's strategy."""
        options, extras = job.prepared.options, _extras(job.prepared.options, route.provider)
        builder = ConversationBuilder(route.tokenizer, route.prompts.continue_prompt, route.route.is_base_model)
        recorder = CallRecorder(client, builder, votes="integrity" in extras)
        asker = Asker(
            client,
            recorder,
            options.routing,
            extras,
            route.provider.structured,
            route.provider.logprobs if options.labels_field else None,
        )
        # Of a budget nothing is to be left over that a bound took for spent.
        cutter = replace(route.cutter(options), exact=options.budget is not None)
        return TextAnswerer(client, asker, cutter, STRATEGIES[options.strategy], route.form)

    def groups(self, job: Job) -> Iterator[list[Document]]:
        """Yield documents of about as many calls as a shard has."""
        return shards(job.documents(), job.first_route.window.context)

    def expect(self, job: Job, shard: Shard) -> None:
        """Do nothing: shards need no order."""

    def share(self, job: Job, claiming: Claiming) -> None:
        """Do nothing: no document is in two shards."""

    async def run(self, job: Job, shard: Shard) -> Worked:
        """Answer a shard's documents, and write their rows."""
        return await run_shard(job, shard.documents, shard.part)


class Embeddings:
    """Vectors of all chunks: equal texts are asked once, so shards claim theirs in their order."""

    def job_type(self) -> type[EmbedJob]:
        """Return the class of its jobs."""
        return EmbedJob

    def prepare(self, job: EmbedJob) -> None:
        """Set up the vectors' space, and the room for texts."""
        prepare_embed_job(job)

    def operation(self, route: Route) -> str:  # noqa: ARG002 - the same of every route
        """Return what a route is asked for."""
        return "embeddings"

    def local(self, prepared: Prepared, route: JobRoute, slots: int) -> contextlib.AbstractContextManager[Account]:  # noqa: ARG002 - it runs in this process
        """Yield its account: there is no server to run."""
        return contextlib.nullcontext(ACCOUNT)

    def answerer(self, job: EmbedJob, route: JobRoute, client: RouteClient) -> Embedder:
        """Return what asks a route for vectors."""
        return embedder(job, route, client)

    def groups(self, job: EmbedJob) -> Iterator[list[Document]]:
        """Yield documents of about as many texts as a shard has."""
        return embed_shards(job.documents(), job.answerers[0].cutter.limit, job.packing.inputs)

    def expect(self, job: EmbedJob, shard: Shard) -> None:
        """Queue a shard to claim its texts after those before it; a repeated one isn't: others may wait for it."""
        if not shard.again:
            job.turns.expect(shard.number)

    def share(self, job: EmbedJob, claiming: Claiming) -> None:
        """Let the run order the claims, and take other workers' claims into account."""
        job.claiming, job.claims.shared = claiming, True

    async def run(self, job: EmbedJob, shard: Shard) -> Worked:
        """Embed a shard's documents, and write their rows."""
        return await run_embed_shard(job, shard.number, shard.documents, shard.part)


COMPLETIONS, EMBEDDINGS = Completions(), Embeddings()


def work_of(options: Options) -> Work[Any]:
    """Return the kind of work that options ask for."""
    return EMBEDDINGS if options.embedding else COMPLETIONS


def sender_of(account: Account, client: Sender) -> Sender:
    """Return what carries an account's requests: the client, or the model in this process."""
    return LocalVectors() if account is ACCOUNT else client


def _extras(options: Options, provider: Provider) -> Mapping[str, Any]:
    integrity = {"integrity": options.integrity} if options.integrity and provider.votes else {}
    return {**provider.extras, **integrity}
