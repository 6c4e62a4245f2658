"""A run's records of its workers: which one has which shard, and what all of them have done and spent.

Shards are handed out in their order. Those of a lost worker are handed out again,
before any new one. Called from the threads of all workers' connections.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tasks.base.errors import DocmillError, Interrupted, JobPaused, LeaderLost, UserMistake
from tasks.dispatch.limits.leases import LeaseRequest, Leases, QuotaBook, allocate
from tasks.jobs.job import Job
from tasks.jobs.job_context import DRAIN_SECONDS
from tasks.running.work import Shard
from tasks.workers.budget_shares import BudgetShares
from tasks.workers.messages import Directives, Report

# A shard that was lost with this many workers is taken to be the cause.
MOST_LOSSES = 3


@dataclass(slots=True)
class Worker:
    """A worker that has joined: its description, the shards it works on, and whether it has left."""

    who: str
    shards: dict[int, Shard] = field(default_factory=dict)
    is_gone: bool = False


class Leader:
    """The run's side: a `LeaderApi` over the shards of a job."""

    def __init__(self, job: Job, shards: Iterator[Shard], clock: Callable[[], float] = time.monotonic) -> None:
        self.job = job
        self.error: BaseException | None = None
        self._shards, self._clock = shards, clock
        budget = job.prepared.options.budget
        self._shares = BudgetShares(budget, job.ledger.spent() if budget is not None else 0.0)
        self._workers: dict[str, Worker] = {}
        self._again: deque[Shard] = deque()
        self._losses: Counter[int] = Counter()
        self._open: set[int] = set()
        self._unclaimed: set[int] = set()
        self._books: dict[str, QuotaBook] = {}
        self._has_all = False
        self._lock, self._listing = threading.RLock(), threading.Lock()

    @property
    def is_over(self) -> bool:
        """Whether no shard is left to be worked on."""
        with self._lock:
            return self.error is not None or self.job.stopped() is not None or (self._has_all and not self._open)

    @property
    def at_work(self) -> list[str]:
        """The workers that have joined and not left."""
        with self._lock:
            return [name for name, worker in self._workers.items() if not worker.is_gone]

    def join(self, worker: str, who: str, fingerprint: str) -> None:
        """Admit a worker, if it has prepared the same job. Raises UserMistake if it hasn't."""
        if fingerprint != self.job.fingerprint:
            raise UserMistake(
                f"worker {who} prepares another job than this run: give it the same version, prompts, "
                "keys and base URLs"
            )
        with self._lock:
            self._workers[worker] = Worker(who)

    def heartbeat(self, worker: str, report: Report) -> Directives:
        """Take in what a worker has done."""
        job = self.job
        self._require(worker)
        job.meter.merge(report.counts, report.troubles, report.waiting)
        with self._lock:
            self._shares.tell(worker, report.spent, report.returned)
            reason = report.stopped or self._shares.overdrawn()
            is_short = self._shares.is_short
        if reason is not None:
            job.stop(reason)
        stopped = job.stopped()
        seconds = DRAIN_SECONDS if isinstance(stopped, Interrupted) else 60 * DRAIN_SECONDS
        return Directives(str(stopped) if stopped else None, seconds, self.is_over, is_short)

    def next(self, worker: str, is_hungry: bool) -> Shard | None:  # noqa: FBT001 - over a line, places only
        """Hand out a shard: one of a lost worker first, which others may wait for."""
        with (
            self._listing
        ):  # held while the next documents are listed: the other methods of `LeaderApi` don't wait for that
            shard = self._lost() or (self._listed() if is_hungry else None)
            if shard is not None:
                with self._lock:
                    self._open.add(shard.number)
                    self._hand(worker, shard)
            return shard

    def _lost(self) -> Shard | None:
        with self._lock:
            return self._again.popleft() if self._again and not self.is_over else None

    def _listed(self) -> Shard | None:
        if self._has_all or self.is_over:
            return None
        try:
            shard = next(self._shards, None)
        except Exception as error:  # noqa: BLE001 - it is the run's own trouble, which raises it
            self.end(error)
            return None
        if shard is None:
            self._has_all = True
        else:
            self._unclaimed.add(shard.number)
        return shard

    def _hand(self, worker: str, shard: Shard) -> None:
        try:
            self._require(worker).shards[shard.number] = shard
        except LeaderLost:
            self._again.append(shard)
            raise

    def finished(self, worker: str, number: int, unchanged: int) -> None:
        """Record that a worker has finished a shard."""
        with self._lock:
            if self._require(worker).shards.pop(number, None) is not None:
                self._open.discard(number)
                self._unclaimed.discard(number)
                self.job.unchanged += unchanged

    def grant(self, worker: str, needs: float, spent: float, returned: float) -> float:
        """Grant a part of the budget."""
        with self._lock:
            self._require(worker)
            self._shares.tell(worker, spent, returned)
            return self._shares.grant(worker, needs)

    def lease(self, worker: str, account: str, ask: LeaseRequest) -> Leases:  # noqa: ARG002 - an ask says whose it is
        """Lease a part of an account's limits."""
        with self._lock:
            return allocate(self._books.setdefault(account, QuotaBook()), ask, self._clock())

    def may_claim(self, number: int) -> bool:
        """Return whether a shard may claim its texts now."""
        with self._lock:
            return min(self._unclaimed, default=number) >= number

    def claimed(self, number: int) -> None:
        """Let the next shard claim its texts."""
        with self._lock:
            self._unclaimed.discard(number)

    def is_first(self, number: int) -> bool:
        """Return whether all shards before this one are finished."""
        with self._lock:
            return min(self._open, default=number) >= number

    def broke(self, worker: str, error: DocmillError) -> None:
        """End the run: what one worker can't do, no other can."""
        with self._lock:
            if worker in self._workers:
                self._workers[worker].is_gone = True
        self.end(error)

    def end(self, error: BaseException) -> None:
        """End the run with an error that it is to raise."""
        self.error = self.error or error
        self.job.stop(JobPaused(str(error)))

    def _require(self, name: str) -> Worker:
        """Return a worker. Raises LeaderLost where it was given up: others do its shards by now."""
        worker = self._workers.get(name)
        if worker is None or worker.is_gone:
            raise LeaderLost(f"worker {name} was given up by its run")
        return worker

    def lose(self, worker: str) -> None:
        """Record that a worker is gone; its shards are handed out again."""
        with self._lock:
            gone = self._workers.get(worker)
            if gone is None or gone.is_gone:
                return
            gone.is_gone = True
            shards, gone.shards = list(gone.shards.values()), {}
            self._again.extend(shard._replace(again=True) for shard in shards)
            self._losses.update(shard.number for shard in shards)
            if not self.is_over:
                self._shares.lose(worker)
                self.job.meter.trouble(f"worker {gone.who}", "was lost: its shards are taken over")
            worst = max((self._losses[shard.number] for shard in shards), default=0)
        if worst >= MOST_LOSSES:
            self.job.stop(JobPaused(f"{worst} workers in turn were lost over the same documents (last {gone.who})"))
