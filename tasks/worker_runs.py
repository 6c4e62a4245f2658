"""The Prefect side of workers: a task run for each, on an engine's process, and the run that leads them."""

import contextlib
import itertools
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture

from tasks.base.errors import JobPaused, LeaderLost
from tasks.base.settings import Settings
from tasks.engines import Engine, engine, uninterrupted
from tasks.jobs.job import Job
from tasks.jobs.job_context import DRAIN_SECONDS
from tasks.planning.runners import is_here
from tasks.prefect_server import block_key
from tasks.prompting.options import Options
from tasks.running.shards import shards_of
from tasks.shard_tasks import SHARDS_AT_ONCE, RunningJob, answer_all
from tasks.workers.leader import Leader
from tasks.workers.messages import LeaderAddress
from tasks.workers.rpc import serving
from tasks.workers.session import joined

KEY_NOTE = "workers-key"
LOOK_AGAIN_SECONDS = 0.1
# How often workers that end are replaced, per worker.
MOST_ENDS = 3
# How long a worker may take to leave, in seconds.
PARTING_SECONDS = 10.0


@task(name="work", task_run_name="worker {name}", persist_result=False, cache_policy=NO_CACHE)
def work(flow: str, inputs: Sequence[str], options: Options, leader: LeaderAddress, name: str) -> None:
    """Work on a run's job until it has no more shards: all of it that happens in one worker process."""
    try:
        with joined(flow, inputs, options, leader, name, Settings.read(block_key)) as worker:
            if options.runner == "processes":
                worker.abandon = _leave  # Prefect's server may be gone too, and would be retried endlessly
            # A lost worker's shards need threads, too, even when all others wait for them.
            running = RunningJob(worker.job, worker.finished, threads=2 * SHARDS_AT_ONCE)
            answer_all(worker.name, running, worker.shards(SHARDS_AT_ONCE))
    except LeaderLost:
        if options.runner == "processes":
            _leave()
        raise


def _leave() -> None:
    """End this process, whose pool would wait for a next task that never comes."""
    os._exit(1)


def lead_workers(job: Job[Any]) -> None:
    """Let workers do all shards of a job. Raises the error that ended it, unless it was stopped."""
    leading = Leader(job, shards_of(job))
    options = job.prepared.options
    with _reached(job, leading) as leader, engine(options) as one:
        crew = _Crew(job, leader, one)
        get_run_logger().info("%d workers, by %s", one.workers, options.runner)
        job.meter.waiting = "for a worker to start"
        while not leading.is_over:
            crew.fill(leading)
            time.sleep(LOOK_AGAIN_SECONDS)
        _await_parting(job, leading)
    if leading.error is not None:
        raise leading.error


@contextlib.contextmanager
def _reached(job: Job[Any], leading: Leader) -> Iterator[LeaderAddress]:
    """Let workers reach the run for the block; their common key lies in the database that they share."""
    options, job_id = job.prepared.options, job.ledger.job_id
    if is_here(options.runner_address):
        with serving(leading) as address:
            yield LeaderAddress(job_id, address)
        return
    key = secrets.token_bytes(32)
    job.prepared.state.write(KEY_NOTE, key.hex())
    with serving(leading, options.runner_address, key) as address:
        yield LeaderAddress(job_id, address, KEY_NOTE)


class _Crew:
    """The workers of a run, with the replacements of those that have ended."""

    def __init__(self, job: Job[Any], leader: LeaderAddress, one: Engine) -> None:
        self._job, self._leader, self._engine = job, leader, one
        self._names = map(str, itertools.count(1))
        self._at_work: dict[str, PrefectFuture[Any]] = {}
        self._ended: list[str] = []
        self._ends = 0

    def fill(self, leading: Leader) -> None:
        """Start workers until there are as many as wanted; stop the job if they end again and again."""
        for name in list(self._ended):
            self._ended.remove(name)
            self._ends += 1
            said = _why(self._at_work.pop(name))
            if self._ends > MOST_ENDS * self._engine.workers and not leading.is_over:
                self._job.stop(JobPaused(f"workers end again and again: {said}"))
                return
        while len(self._at_work) < self._engine.workers:
            self._hire(next(self._names))

    def _hire(self, name: str) -> None:
        prepared = self._job.prepared
        parameters = {
            "flow": prepared.flow,
            "inputs": list(prepared.inputs),
            "options": prepared.options,
            "leader": self._leader,
            "name": name,
        }
        with uninterrupted():
            future = self._engine.submit(work, parameters)
        self._at_work[name] = future
        future.add_done_callback(lambda _: self._ended.append(name))


def _why(future: PrefectFuture[Any]) -> str:
    try:
        future.result(raise_on_failure=True)
    except Exception as error:  # noqa: BLE001 - whatever it was, it is said
        return " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return "it had nothing to do"


def _await_parting(job: Job[Any], leading: Leader) -> None:
    """Wait until the workers have left, which drain what is in flight where the job was stopped."""
    drain = 60 * DRAIN_SECONDS if job.stopped() else 0.0
    deadline = time.monotonic() + drain + PARTING_SECONDS
    while leading.at_work and time.monotonic() < deadline:
        time.sleep(LOOK_AGAIN_SECONDS)
