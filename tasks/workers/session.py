"""A worker's side: prepare the job as its run did, take shards, and report progress."""

import asyncio
import contextlib
import os
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from tasks.base.errors import DocmillError, JobPaused, LeaderLost, StorageFailed, UserMistake
from tasks.base.settings import Settings
from tasks.calls.progress import Meter
from tasks.dispatch.budget import Spending
from tasks.dispatch.limits.gate import Limits
from tasks.dispatch.limits.leases import LeaseRequest, Leases
from tasks.jobs.document_shard import Worked
from tasks.jobs.job import Job
from tasks.jobs.job_context import DRAIN_SECONDS
from tasks.planning.prepare import prepare
from tasks.planning.prepared import Prepared
from tasks.planning.state_location import state_of
from tasks.prompting.options import Options
from tasks.providers.account import Account
from tasks.results.job_file import read_job_file
from tasks.running.garbage import calm_collector
from tasks.running.runtime import RuntimeResources, opened_runtime
from tasks.running.shards import is_hungry
from tasks.running.shared_limits import LeaseTask, leased, sharing
from tasks.running.watching import gauge
from tasks.running.work import Shard, work_of
from tasks.workers.budget_shares import WorkerBudget
from tasks.workers.messages import LeaderAddress, LeaderApi, Report, plain
from tasks.workers.rpc import RpcClient

BEAT_SECONDS, LOOK_AGAIN_SECONDS = 0.25, 0.1
THREADS = 8
T = TypeVar("T")


class WorkerSession:
    """One worker at work on its run's job."""

    def __init__(self, name: str, job: Job[Any], desk: LeaderApi, pulse: LeaderApi, spending: Spending) -> None:
        self.name, self.job, self.desk = name, job, desk
        # Called once the run is gone and the answers to all calls in flight are recorded.
        self.abandon: Callable[[], None] = lambda: None
        self._pulse, self._spending = pulse, spending
        self._told: dict[str, float] = dict.fromkeys(job.meter.counts(), 0)
        self._troubles, self._returned = 0, 0.0
        self._in_hand, self._counting = 0, threading.Lock()
        self._leaves, self._has_ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._send_heartbeats, name="heartbeat", daemon=True)

    @contextlib.contextmanager
    def reporting(self) -> Iterator[None]:
        """Report to the run while the block runs, and once more at its end."""
        self._heartbeat()
        self._thread.start()
        try:
            yield
        finally:
            self._has_ended.set()
            self._thread.join()
            with contextlib.suppress(JobPaused):
                self._heartbeat()

    def shards(self, most: int) -> Iterator[Shard | None]:
        """Yield shards as long as the run has any, and None now and then while none is due; until the job stops.

        No more than `most` are in hand, but for those of lost workers.
        """
        while not self.job.stopped():
            hungry = is_hungry(self.job) and self._in_hand < most
            shard = self.desk.next(self.name, hungry)
            if shard is not None:
                self._take(shard)
                yield shard
                continue
            self.job.scheduler.listed_all |= hungry
            if self._leaves.wait(LOOK_AGAIN_SECONDS):
                return
            yield None

    def _take(self, shard: Shard) -> None:
        if shard.again:
            self._catch_up()
        work_of(self.job.prepared.options).expect(self.job, shard)
        self.job.scheduler.listed += len(shard.documents)
        with self._counting:
            self._in_hand += 1

    def _catch_up(self) -> None:
        """Learn the answers of the lost worker, and how it cut texts, as this worker takes over its documents."""
        self.job.ledger.learn()
        for client in self.job.clients:
            client.measures.look_again()

    def finished(self, shard: Shard, worked: Worked) -> None:
        """Hand in a shard that was worked on to its end; where the job was stopped, it wasn't."""
        with self._counting:
            self._in_hand -= 1
        if not self.job.stopped():
            self.desk.finished(self.name, shard.number, worked.unchanged)

    def _send_heartbeats(self) -> None:
        while not self._has_ended.wait(BEAT_SECONDS):
            try:
                self._heartbeat()
            except JobPaused as error:
                self.job.stop(error, DRAIN_SECONDS)
                self._drain()
                self.abandon()
                return

    def _drain(self) -> None:
        """Wait until what is in flight is recorded."""
        deadline = time.monotonic() + 2 * DRAIN_SECONDS
        while self.job.tasks and time.monotonic() < deadline:
            time.sleep(LOOK_AGAIN_SECONDS)
        self.job.ledger.close()

    def _heartbeat(self) -> None:
        """Report what was done since the last heartbeat, and follow the directives."""
        meter = self.job.meter
        counts, troubles = meter.counts(), list(meter.troubles)
        stopped = self.job.stopped()
        report = Report(
            {name: count - self._told[name] for name, count in counts.items() if count != self._told[name]},
            troubles[self._troubles :],
            meter.waiting,
            self._spending.spent,
            self._returned,
            plain(stopped) if stopped else None,
        )
        orders = self._pulse.heartbeat(self.name, report)
        self._told, self._troubles, self._returned = counts, len(troubles), 0.0
        if orders.stop is not None:
            self.job.stop(JobPaused(orders.stop), orders.seconds)
        if orders.leave:
            self._leaves.set()
        if orders.save and isinstance(self._spending, WorkerBudget):
            self._returned = self.job.run(_given_back(self._spending))


async def _given_back(spending: WorkerBudget) -> float:
    return spending.give_back()


class WorkerLimitSharing:
    """Leases a worker's part of the limits from the run's own books."""

    def __init__(self, name: str, desk: LeaderApi, threads: ThreadPoolExecutor) -> None:
        self._name, self._desk, self._threads = name, desk, threads

    async def lease(
        self, account: Account, limits: Limits, trouble: Callable[[str, str], None], stop: Callable[[JobPaused], None]
    ) -> LeaseTask:
        """Lease it from now on, on the running event loop."""
        loop, book = asyncio.get_running_loop(), account.fingerprint()

        async def exchange(ask: LeaseRequest) -> Leases:
            try:
                return await loop.run_in_executor(self._threads, self._desk.lease, self._name, book, ask)
            except LeaderLost as error:
                raise StorageFailed(str(error)) from error  # a share is left for the calls that are still to end

        return leased(account, limits, exchange, trouble, stop)


class WorkerClaiming:
    """The turns in which the shards of all workers claim their texts."""

    def __init__(self, desk: LeaderApi, threads: ThreadPoolExecutor, job: Job[Any]) -> None:
        self._desk, self._threads, self._job = desk, threads, job

    @contextlib.asynccontextmanager
    async def of(self, number: int) -> AsyncIterator[None]:
        """Claim for the block, once all shards before have; a stopped job waits for nobody."""
        while not self._job.stopped() and not await self._ask(self._desk.may_claim, number):  # noqa: ASYNC110 - others'
            await asyncio.sleep(LOOK_AGAIN_SECONDS / 2)
        try:
            yield
        finally:
            with contextlib.suppress(LeaderLost):
                await self._ask(self._desk.claimed, number)

    async def is_first(self, number: int) -> bool:
        """Whether all shards before are finished."""
        return await self._ask(self._desk.is_first, number)

    async def _ask(self, call: Callable[[int], T], number: int) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, number)


@contextlib.contextmanager
def joined(
    flow: str,
    inputs: Sequence[str],
    options: Options,
    leader: LeaderAddress,
    name: str,
    settings: Settings | None = None,
) -> Iterator[WorkerSession]:
    """Work for the run of a leader, for the block.

    Whatever ends the block by an error ends the run with it. Raises UserMistake where this
    process can't do the same job, LeaderLost where the run has gone.
    """
    settings = settings or Settings.read()
    key = bytes.fromhex(state_of(options, settings).read(leader.key_note)) if leader.key_note else None
    name = f"{name}-{secrets.token_hex(3)}"  # an engine may run the same task again
    desk, pulse = RpcClient(leader.address, key), RpcClient(leader.address, key)
    with contextlib.closing(desk), contextlib.closing(pulse):
        try:
            prepared = prepare(flow, inputs, options, settings)
            _require_results(options, leader.job_id)
            pulse.join(name, f"{os.getpid()} on {socket.gethostname()}", prepared.fingerprint)
            with _opened(prepared, leader.job_id, name, desk, pulse) as worker, worker.reporting():
                yield worker
                worker.job.check_leader()
        except LeaderLost:
            raise
        except Exception as error:
            known = error if isinstance(error, DocmillError) else DocmillError(f"{type(error).__name__}: {error}")
            desk.broke(name, plain(known) if isinstance(known, JobPaused) else known)
            raise


@contextlib.contextmanager
def _opened(prepared: Prepared, job_id: str, name: str, desk: LeaderApi, pulse: LeaderApi) -> Iterator[WorkerSession]:
    options, state = prepared.options, prepared.state
    with contextlib.ExitStack() as stack:
        stack.enter_context(calm_collector())
        threads = stack.enter_context(ThreadPoolExecutor(THREADS, "desk"))
        ledger = stack.enter_context(state.join(fresh=options.fresh))
        ledger.join(job_id)
        share = stack.enter_context(sharing(options.share_limits, prepared.settings)) or WorkerLimitSharing(
            name, desk, threads
        )
        spending = _spending(options, name, desk, threads)
        job = stack.enter_context(opened_runtime(prepared, ledger, state, Meter(), RuntimeResources(spending, share)))
        gauge(job)
        work_of(options).share(job, WorkerClaiming(desk, threads, job))
        yield WorkerSession(name, job, desk, pulse, spending)


def _spending(options: Options, name: str, desk: LeaderApi, threads: ThreadPoolExecutor) -> Spending:
    if options.budget is None:
        return Spending(None)

    async def granted(needs: float, spent: float, returned: float) -> float:
        return await asyncio.get_running_loop().run_in_executor(threads, desk.grant, name, needs, spent, returned)

    return WorkerBudget(granted)


def _require_results(options: Options, job_id: str) -> None:
    """Raise UserMistake where the output isn't the run's own."""
    record = read_job_file(options.folder)
    if record.get("job_id") != job_id:
        raise UserMistake(
            f"{options.folder.location} on {socket.gethostname()} isn't the run's own: give an --output that all "
            "workers share, as a bucket or a mounted folder"
        )
