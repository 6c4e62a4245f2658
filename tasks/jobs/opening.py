"""Open everything a job needs, and close it in the end: lock, ledger, loop, local server, client."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from uvloop import new_event_loop

from tasks.dispatch.client import Client, allow_connections
from tasks.dispatch.dispatcher import Dispatcher
from tasks.dispatch.limits import Limits
from tasks.dispatch.notes import Notes
from tasks.dispatch.rate import SECOND, Rate
from tasks.dispatch.shared import SharedRate
from tasks.dispatch.spending import Spending
from tasks.errors import JobStopped, UserMistake
from tasks.jobs.ask import Asker
from tasks.jobs.collector import calm_collector
from tasks.jobs.embed.job import EmbedJob
from tasks.jobs.embed.making import embed_job, embedder
from tasks.jobs.job import Job
from tasks.jobs.measure import Measures
from tasks.jobs.meter import Meter
from tasks.jobs.options import EmbedOptions, Options
from tasks.jobs.pay import Payer
from tasks.jobs.places import holding, state_of
from tasks.jobs.prepare import Prepared
from tasks.jobs.read import DOCUMENTS_AT_ONCE
from tasks.jobs.register import register
from tasks.jobs.sharing import sharing
from tasks.jobs.sticky import remember
from tasks.jobs.stops import Stop
from tasks.jobs.strategy import Strategist
from tasks.jobs.watch import begin, observed, watching
from tasks.ledger.ledger import Ledger
from tasks.providers.account import Account
from tasks.providers.local_server import local_server
from tasks.providers.local_vectors import ACCOUNT, LocalVectors
from tasks.providers.registry import wire_of
from tasks.results.conform import conform
from tasks.results.footers import Footers, is_sound
from tasks.results.job_file import write_job_file
from tasks.results.parts import create_tables, held_documents
from tasks.routing.catalogue import Provider

LOCAL_SLOTS = 4
T = TypeVar("T")


@contextlib.contextmanager
def open_job(prepared: Prepared, meter: Meter | None = None) -> Iterator[Job]:
    """Open everything a job needs, and close it all in the end, whatever happens.

    Raises UserMistake or StorageRefused where the output can't be written, or another run holds it.
    """
    output = prepared.options.folder
    create_tables(output, prepared.schemas)
    state = state_of(prepared.options)
    opened: list[Job] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(holding(prepared.options, state, lambda error: _stop_all(opened, error)))
        found = conform(output, prepared.schemas)
        stack.enter_context(calm_collector())
        ledger = state.open(fresh=prepared.options.fresh)
        stack.callback(ledger.close)
        meter = meter or Meter()
        if ledger.notice:
            meter.trouble("ledger", ledger.notice)
        if ledger.is_new:
            ledger.adopt(held_documents(output))
        ledger.begin(prepared.identity, prepared.flow)
        observer = stack.enter_context(observed(prepared, ledger.job_id, meter))
        loop = stack.enter_context(_running_loop())
        accounts = [stop.account or stack.enter_context(_local(prepared, stop)) for stop in prepared.stops]
        share = stack.enter_context(sharing(prepared.options.share_limits))
        client = _on(loop, _opened())
        stack.callback(lambda: _on(loop, client.__aexit__(None, None, None)))
        spending = Spending(prepared.options.budget, ledger.spent() if prepared.options.budget is not None else 0.0)
        flights = [_concurrency(prepared, stop) for stop in prepared.stops]
        most = sum(flights) if prepared.options.pool else max(flights)
        allow_connections(most)
        places = asyncio.Semaphore(2 * most + DOCUMENTS_AT_ONCE)
        job: Job[Any] = _job(prepared, ledger, meter, loop, places)
        job.observer = observer
        gates: dict[tuple[str, str], Limits] = {}
        for stop, account in zip(prepared.stops, accounts, strict=True):
            # Limits are the account's, whichever of its models is asked.
            key = (account.provider, account.base_url)
            if key not in gates:
                # What runs in this process has limits of its own.
                is_shared = share is not None and stop.account is not None
                gates[key] = _limits(prepared, stop, SharedRate if is_shared else Rate)
                if share is not None and is_shared:
                    leasing = _on(loop, share.lease(account, gates[key], meter.trouble, job.stop))
                    stack.callback(lambda one: _on(loop, one.end()), leasing)
            limits = gates[key]
            measures = Measures(state, f"{stop.route.provider} {stop.route.id} {account.place}")
            payer = _payer(job, stop, account, client, spending, limits, measures)
            job.strategists.append(
                embedder(job, stop, payer) if isinstance(job, EmbedJob) else _strategist(job, stop, payer)
            )
        opened.append(job)
        remember(prepared.stops, prepared.options)
        _share_fate(job)
        _reopen_lost_parts(job, found)
        write_job_file(output, job.record("running"))
        register(output)
        stack.enter_context(_begun(job))
        yield job


@contextlib.contextmanager
def _begun(job: Job[Any]) -> Iterator[None]:
    """Tell that a job begins, and note in job.json where it ends by an error nobody foresaw."""
    begin(job)
    try:
        yield
    except Exception as error:
        job.broke(error)
        raise


def _job(
    prepared: Prepared, ledger: Ledger, meter: Meter, loop: asyncio.AbstractEventLoop, places: asyncio.Semaphore
) -> Job[Any]:
    if isinstance(prepared.options, EmbedOptions):
        return embed_job(prepared, ledger, meter, loop, places)
    return Job(prepared, ledger, meter, loop, [], places, asyncio.Lock(), time.monotonic(), prepared.work)


def _stop_all(jobs: Sequence[Job[Any]], reason: JobStopped) -> None:
    for job in jobs:
        job.stop(reason)


def _reopen_lost_parts(job: Job[Any], found: Footers) -> None:
    """Have the documents of parts that somebody removed or damaged answered again, from the ledger."""
    lost = [part for part, *counts in job.ledger.parts() if not is_sound(found, part, *counts)]
    for part in lost:
        job.meter.trouble(f"part {part:06d}", "its files were missing or damaged: written again from what was paid")
    job.ledger.reopen(lost)


def _local(prepared: Prepared, stop: Stop) -> "contextlib.AbstractContextManager[Account]":
    if isinstance(prepared.options, EmbedOptions):
        return contextlib.nullcontext(ACCOUNT)
    if prepared.local_model is None:
        raise UserMistake("the local model has no file: name one in DOCMILL_LOCAL_MODEL")
    # Each slot holds a whole context in memory; calls beyond them wait at the server.
    slots = min(_concurrency(prepared, stop), LOCAL_SLOTS)
    return local_server(prepared.local_model, context=stop.route.window.context, slots=slots)


def _concurrency(prepared: Prepared, stop: Stop) -> int:
    return prepared.options.concurrency or stop.provider.concurrency


def _share_fate(job: Job) -> None:
    """Let the routes of one account know of each other: what refuses one of them refuses all."""
    dispatchers = [strategist.dispatcher for strategist in job.strategists]
    for one in dispatchers:
        one.siblings = [other for other in dispatchers if other.account.same_as(one.account)]


def _limits(prepared: Prepared, stop: Stop, kind: type[Rate]) -> Limits:
    return Limits(declared(prepared.options, stop.provider, kind), concurrency=_concurrency(prepared, stop))


def _payer(
    job: Job, stop: Stop, account: Account, client: Client, spending: Spending, limits: Limits, measures: Measures
) -> Payer:
    options, provider = job.prepared.options, stop.provider
    dispatcher = Dispatcher(
        LocalVectors() if account is ACCOUNT else client,
        account,
        wire_of(provider.wire),
        limits,
        hedge=options.hedge,
        told_period=provider.told_period,
        notes=Notes(watching(job, stop)),
    )
    return Payer(stop.route, dispatcher, job.ledger, spending, measures, job.stopped)


def _strategist(job: Job, stop: Stop, payer: Payer) -> Strategist:
    options, provider = job.prepared.options, stop.provider
    extras = _extras(options, provider)
    go_on = stop.prompts.go_on
    asker = Asker(payer, job.meter, stop.tokenizer, options.routing, extras, go_on, provider.structured)
    return Strategist(asker, stop.cutter(options), stop.form)


def _extras(options: Options, provider: Provider) -> dict[str, Any]:
    integrity = {"integrity": options.integrity} if options.integrity and provider.wire == "apipie" else {}
    return {**provider.extras, **integrity}


def declared(options: Options, provider: Provider, kind: type[Rate] = Rate) -> Iterator[Rate]:
    """Yield the limits of the flags, else those that the provider declares."""
    if options.rpm or provider.requests_per_minute:
        yield kind("requests", options.rpm or provider.requests_per_minute or 0)
    if options.tpm or provider.tokens_per_minute:
        yield kind("tokens", options.tpm or provider.tokens_per_minute or 0)
    if provider.requests_per_second:
        yield kind("requests", provider.requests_per_second, SECOND)
    if provider.input_tokens_per_minute:
        yield kind("input", provider.input_tokens_per_minute)
    if provider.output_tokens_per_minute:
        yield kind("output", provider.output_tokens_per_minute)


@contextlib.contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop on a thread of its own, for the whole job."""
    loop = new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="dispatch", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        _on(loop, _ended())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _ended() -> None:
    """End what still runs, as the wait for a stopped job's calls."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_default_executor()


async def _opened() -> Client:
    """The client belongs to the loop it is made on."""
    return Client()


def _on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    future: Future[T] = asyncio.run_coroutine_threadsafe(work, loop)
    return future.result()
