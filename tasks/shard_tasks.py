"""The Prefect tasks of a job's shards, one run a shard, on threads of the process that works on them."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from prefect import get_run_logger, task
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, wait
from prefect.runtime import task_run
from prefect.task_runners import ThreadPoolTaskRunner

from tasks.base.errors import JobPaused
from tasks.jobs.document_shard import Worked
from tasks.jobs.job import Job
from tasks.running.shards import work_on
from tasks.running.work import Shard

# How many shards may be under way: a slow document keeps its shard open, and others start meanwhile.
SHARDS_AT_ONCE = 64


@dataclass(slots=True)
class RunningJob:
    """A job that this process works on, and its shards under way; `finished` is called with each one that has ended."""

    job: Job[Any]
    finished: Callable[[Shard, Worked], None] = lambda _shard, _worked: None
    shards: dict[int, Shard] = field(default_factory=dict)
    threads: int = SHARDS_AT_ONCE


# A task gets a job's id and a shard's number: never a client or loop, and no documents,
# as Prefect walks through every one of a parameter's.
RUNNING: dict[str, RunningJob] = {}


def _shard_name() -> str:
    return f"shard {task_run.parameters['number']:05d}"


def _heals(_: object, __: object, state: State[Any]) -> bool:
    """Whether to retry a shard: after an OSError, but not after a defect or when the job was stopped."""
    try:
        state.result()
    except OSError:
        return True
    except Exception:  # noqa: BLE001 - whatever it was, it is raised by the task itself
        return False
    return False


@task(
    name="answer shard",
    task_run_name=_shard_name,
    retries=1,
    retry_delay_seconds=5,
    retry_condition_fn=_heals,
    persist_result=False,
)
def answer_shard(job_id: str, number: int) -> int:
    """Answer one shard's documents and write their rows; return how many."""
    running = RUNNING[job_id]
    shard = running.shards[number]
    worked = running.job.run(work_on(running.job, shard))
    running.finished(shard, worked)
    get_run_logger().info("%d of %d documents written; the others were there", worked.written, len(shard.documents))
    return worked.written


def answer_all(name: str, running: RunningJob, shards: Iterable[Shard | None]) -> None:
    """Submit a task run a shard as they come, and wait for them all; None is no shard."""
    RUNNING[name] = running
    try:
        with ThreadPoolTaskRunner[int](max_workers=running.threads) as threads:
            _answer_all(name, running, shards, threads)
    finally:
        del RUNNING[name]


def _answer_all(
    name: str, running: RunningJob, shards: Iterable[Shard | None], threads: ThreadPoolTaskRunner[int]
) -> None:
    job, under_way, ended = running.job, dict[int, PrefectFuture[int]](), deque[int]()
    try:
        for shard in shards:
            if shard is not None:
                running.shards[shard.number] = shard
                future = threads.submit(answer_shard, {"job_id": name, "number": shard.number})
                under_way[shard.number] = future
                future.add_done_callback(partial(_ended, ended, shard.number))
            while ended:
                _collect(running, under_way, ended.popleft())
        for number in list(under_way):
            _collect(running, under_way, number)
    except BaseException as error:
        # The other shards still use the job, so wait until they end before it is closed.
        job.stop(error if isinstance(error, JobPaused) else JobPaused(str(error)))
        wait(list(under_way.values()))
        raise


def _ended(ended: deque[int], number: int, _: object) -> None:
    ended.append(number)


def _collect(running: RunningJob, under_way: "dict[int, PrefectFuture[int]]", number: int) -> None:
    under_way.pop(number).result()
    del running.shards[number]
