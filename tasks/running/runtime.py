"""The runtime of a job in one process: its event loop, the HTTP client, the accounts and their limits."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from uvloop import new_event_loop

from tasks.base.errors import JobPaused
from tasks.base.settings import Settings
from tasks.calls.progress import Meter
from tasks.calls.route_client import RouteClient
from tasks.calls.token_calibration import TokenCalibration
from tasks.dispatch.budget import Spending
from tasks.dispatch.call_events import CallEvents
from tasks.dispatch.client import Client
from tasks.dispatch.dispatcher import Dispatcher
from tasks.dispatch.exchanger import Exchanger, Sender
from tasks.dispatch.limits.gate import Limits
from tasks.dispatch.limits.leased_rate import SharedRate
from tasks.dispatch.limits.rate import Rate
from tasks.dispatch.transport import allow_connections
from tasks.jobs.job import Job
from tasks.jobs.reading import DOCUMENTS_AT_ONCE
from tasks.ledger.ledger import Ledger
from tasks.ledger.state import State
from tasks.models.catalogue import Provider
from tasks.planning.job_routes import JobRoute
from tasks.planning.prepared import Prepared
from tasks.prompting.options import Options
from tasks.providers.account import Account
from tasks.providers.effective_limits import EffectiveLimits
from tasks.providers.registry import wire_of
from tasks.running.shared_limits import LeaseTask
from tasks.running.watching import observed, watching
from tasks.running.work import sender_of, work_of

# The local model's account in a run whose workers make the calls: the run itself starts no server.
NO_LOCAL_SERVER = Account("local", "nowhere://")
T = TypeVar("T")


class LimitSharing(Protocol):
    """Leases a gate's part of limits that other processes use, too."""

    async def lease(
        self, account: Account, limits: Limits, trouble: Callable[[str, str], None], stop: Callable[[JobPaused], None]
    ) -> LeaseTask:
        """Lease it from now on, on the running event loop; `stop` is for a defect in that."""
        ...


@dataclass(frozen=True, slots=True)
class RuntimeResources:
    """The budget and the shared limits of a process for a job; if not `asks`, it sends no calls itself."""

    spending: Spending
    share: LimitSharing | None = None
    asks: bool = True


@contextlib.contextmanager
def opened_runtime(
    prepared: Prepared, ledger: Ledger, state: State, meter: Meter, resources: RuntimeResources
) -> Iterator[Job[Any]]:
    """Open a job over its ledger, with what asks its routes, for the block. Raises UserMistake."""
    work, routes = work_of(prepared.options), prepared.job_routes
    with contextlib.ExitStack() as stack:
        observer = stack.enter_context(observed(prepared, ledger.job_id, meter))
        loop = stack.enter_context(_running_loop())
        accounts = [one.account or stack.enter_context(_local(prepared, one, resources)) for one in routes]
        client = _on(loop, _opened(prepared.settings))
        stack.callback(lambda: _on(loop, client.__aexit__(None, None, None)))
        in_flight = [_concurrency(prepared, route) for route in routes]
        most = sum(in_flight) if prepared.options.pool else max(in_flight)
        allow_connections(most)
        job: Job[Any] = work.job_type()(prepared, ledger, meter, loop, asyncio.Semaphore(2 * most + DOCUMENTS_AT_ONCE))
        work.prepare(job)
        job.observer = observer
        gates: dict[tuple[str, str], Limits] = {}
        for route, account in zip(routes, accounts, strict=True):
            # Limits are the account's, whichever of its models is asked.
            key = (account.provider, account.base_url)
            if key not in gates:
                # What runs in this process has limits of its own.
                share = resources.share if route.account is not None else None
                gates[key] = _limits(prepared, route, SharedRate if share else Rate)
                if share is not None:
                    leasing = _on(loop, share.lease(account, gates[key], meter.trouble, job.stop))
                    stack.callback(lambda one: _on(loop, one.end()), leasing)
            measures = TokenCalibration(state, f"{route.route.provider} {route.route.id} {account.endpoint}")
            sender = sender_of(account, client)
            asked = _client(job, route, account, sender, resources.spending, gates[key], measures)
            job.answerers.append(work.answerer(job, route, asked))
        _share_fate(job)
        yield job


def _local(
    prepared: Prepared, route: JobRoute, resources: RuntimeResources
) -> "contextlib.AbstractContextManager[Account]":
    if not resources.asks:
        return contextlib.nullcontext(NO_LOCAL_SERVER)
    return work_of(prepared.options).local(prepared, route, _concurrency(prepared, route))


def _concurrency(prepared: Prepared, route: JobRoute) -> int:
    return prepared.options.concurrency or route.provider.concurrency


def _share_fate(job: Job[Any]) -> None:
    """Link the routes of one account: when its provider refuses the account at one of them, all are lost."""
    dispatchers = [client.dispatcher for client in job.clients]
    for one in dispatchers:
        one.siblings = [other for other in dispatchers if other.exchanger.account.same_as(one.exchanger.account)]


def _limits(prepared: Prepared, route: JobRoute, kind: type[Rate]) -> Limits:
    return Limits(declared(prepared.options, route.provider, kind), concurrency=_concurrency(prepared, route))


def _client(
    job: Job[Any],
    route: JobRoute,
    account: Account,
    sender: Sender,
    spending: Spending,
    limits: Limits,
    measures: TokenCalibration,
) -> RouteClient:
    exchanger = Exchanger(sender, account, wire_of(route.provider.wire), hedge=job.prepared.options.hedge)
    notes = CallEvents(watching(job, route))
    dispatcher = Dispatcher(exchanger, limits, told_period=route.provider.told_period, notes=notes)
    return RouteClient(route.route, dispatcher, job.ledger, spending, measures, job.meter, job.stopped)


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


async def _opened(settings: Settings) -> Client:
    """The client belongs to the loop it is made on."""
    return Client(settings.transport())


def _on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    future: Future[T] = asyncio.run_coroutine_threadsafe(work, loop)
    return future.result()
