"""All that asks for a job in one process: its event loop, the client, the accounts and their limits."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from uvloop import new_event_loop

from tasks.base.errors import JobPaused, UserMistake
from tasks.calls.asker import Asker
from tasks.calls.payments import BudgetedDispatcher
from tasks.calls.progress import Meter
from tasks.calls.token_calibration import TokenCalibration
from tasks.dispatch.budget import Spending
from tasks.dispatch.call_events import CallEvents
from tasks.dispatch.dispatcher import Dispatcher
from tasks.dispatch.limits.gate import Limits
from tasks.dispatch.limits.leased_rate import SharedRate
from tasks.dispatch.limits.rate import Rate
from tasks.dispatch.transport import Client, allow_connections
from tasks.embeddings.embed_job import EmbedJob
from tasks.embeddings.making import embed_job, embedder
from tasks.jobs.job import Job
from tasks.jobs.reading import DOCUMENTS_AT_ONCE
from tasks.ledger.ledger import Ledger
from tasks.ledger.state import State
from tasks.models.catalogue import Provider
from tasks.planning.job_routes import JobRoute
from tasks.planning.prepare import Prepared
from tasks.prompting.options import Options
from tasks.providers.account import Account
from tasks.providers.effective_limits import EffectiveLimits
from tasks.providers.local_server import local_server
from tasks.providers.local_vectors import ACCOUNT, LocalVectors
from tasks.providers.registry import wire_of
from tasks.running.shared_limits import LeaseTask
from tasks.running.watching import observed, watching
from tasks.strategies.text_answerer import TextAnswerer

LOCAL_SLOTS = 4
# Of a run whose workers ask: it has a local model's place, and no server there.
NO_LOCAL_SERVER = Account("local", "nowhere://")
T = TypeVar("T")


class LimitSharing(Protocol):
    """Who leases what a gate needs of limits that others use, too."""

    async def lease(
        self, account: Account, limits: Limits, trouble: Callable[[str, str], None], stop: Callable[[JobPaused], None]
    ) -> LeaseTask:
        """Lease it from now on, on the running event loop; `stop` is for a defect in that."""
        ...


@dataclass(frozen=True, slots=True)
class RuntimeResources:
    """The money and the limits that a process has for a job; one that doesn't `ask` sends nothing itself."""

    spending: Spending
    share: LimitSharing | None = None
    asks: bool = True


@contextlib.contextmanager
def opened_runtime(
    prepared: Prepared, ledger: Ledger, state: State, meter: Meter, resources: RuntimeResources
) -> Iterator[Job[Any]]:
    """Open a job over its ledger, with what asks its routes, for the block. Raises UserMistake."""
    with contextlib.ExitStack() as stack:
        observer = stack.enter_context(observed(prepared, ledger.job_id, meter))
        loop = stack.enter_context(_running_loop())
        accounts = [
            stop.account or stack.enter_context(_local(prepared, stop, asks=resources.asks))
            for stop in prepared.job_routes
        ]
        client = _on(loop, _opened())
        stack.callback(lambda: _on(loop, client.__aexit__(None, None, None)))
        flights = [_concurrency(prepared, stop) for stop in prepared.job_routes]
        most = sum(flights) if prepared.options.pool else max(flights)
        allow_connections(most)
        places = asyncio.Semaphore(2 * most + DOCUMENTS_AT_ONCE)
        job: Job[Any] = _job(prepared, ledger, meter, loop, places)
        job.observer = observer
        gates: dict[tuple[str, str], Limits] = {}
        for stop, account in zip(prepared.job_routes, accounts, strict=True):
            # Limits are the account's, whichever of its models is asked.
            key = (account.provider, account.base_url)
            if key not in gates:
                # What runs in this process has limits of its own.
                share = resources.share if stop.account is not None else None
                gates[key] = _limits(prepared, stop, SharedRate if share else Rate)
                if share is not None:
                    leasing = _on(loop, share.lease(account, gates[key], meter.trouble, job.stop))
                    stack.callback(lambda one: _on(loop, one.end()), leasing)
            measures = TokenCalibration(state, f"{stop.route.provider} {stop.route.id} {account.place}")
            payer = _payer(job, stop, account, client, resources.spending, gates[key], measures)
            job.strategists.append(
                embedder(job, stop, payer) if isinstance(job, EmbedJob) else _strategist(job, stop, payer)
            )
        _share_fate(job)
        yield job


def _job(
    prepared: Prepared, ledger: Ledger, meter: Meter, loop: asyncio.AbstractEventLoop, places: asyncio.Semaphore
) -> Job[Any]:
    if prepared.options.embedding:
        return embed_job(prepared, ledger, meter, loop, places)
    return Job(prepared, ledger, meter, loop, [], places, asyncio.Lock(), time.monotonic(), prepared.work)


def _local(prepared: Prepared, stop: JobRoute, *, asks: bool) -> "contextlib.AbstractContextManager[Account]":
    if prepared.options.embedding:
        return contextlib.nullcontext(ACCOUNT)
    if not asks:
        return contextlib.nullcontext(NO_LOCAL_SERVER)
    if prepared.local_model is None:
        raise UserMistake("the local model has no file: name one in DOCMILL_LOCAL_MODEL")
    # Each slot holds a whole context in memory; calls beyond them wait at the server.
    slots = min(_concurrency(prepared, stop), LOCAL_SLOTS)
    return local_server(prepared.local_model, context=stop.route.window.context, slots=slots)


def _concurrency(prepared: Prepared, stop: JobRoute) -> int:
    return prepared.options.concurrency or stop.provider.concurrency


def _share_fate(job: Job) -> None:
    """Let the routes of one account know of each other: what refuses one of them refuses all."""
    dispatchers = [strategist.dispatcher for strategist in job.strategists]
    for one in dispatchers:
        one.siblings = [other for other in dispatchers if other.account.same_as(one.account)]


def _limits(prepared: Prepared, stop: JobRoute, kind: type[Rate]) -> Limits:
    return Limits(declared(prepared.options, stop.provider, kind), concurrency=_concurrency(prepared, stop))


def _payer(
    job: Job,
    stop: JobRoute,
    account: Account,
    client: Client,
    spending: Spending,
    limits: Limits,
    measures: TokenCalibration,
) -> BudgetedDispatcher:
    options, provider = job.prepared.options, stop.provider
    dispatcher = Dispatcher(
        LocalVectors() if account is ACCOUNT else client,
        account,
        wire_of(provider.wire),
        limits,
        hedge=options.hedge,
        told_period=provider.told_period,
        notes=CallEvents(watching(job, stop)),
    )
    return BudgetedDispatcher(stop.route, dispatcher, job.ledger, spending, measures, job.meter, job.stopped)


def _strategist(job: Job, stop: JobRoute, payer: BudgetedDispatcher) -> TextAnswerer:
    options, provider = job.prepared.options, stop.provider
    extras = _extras(options, provider)
    continue_prompt = stop.prompts.continue_prompt
    asker = Asker(payer, job.meter, stop.tokenizer, options.routing, extras, continue_prompt, provider.structured)
    return TextAnswerer(asker, stop.cutter(options), stop.form)


def _extras(options: Options, provider: Provider) -> dict[str, Any]:
    integrity = {"integrity": options.integrity} if options.integrity and provider.wire == "apipie" else {}
    return {**provider.extras, **integrity}


def declared(options: Options, provider: Provider, kind: type[Rate] = Rate) -> Iterator[Rate]:
    """Yield the limits of the flags, else those that the provider declares."""
    for rate in EffectiveLimits.of(options, provider).rates:
        yield kind(rate.unit, rate.limit, rate.period)


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
