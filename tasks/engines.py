"""The engines that run worker processes: this machine, a Dask cluster or a Ray cluster."""

import contextlib
import logging
import os
import signal
import urllib.parse
from collections.abc import Callable, Iterator
from contextvars import copy_context
from multiprocessing import resource_tracker
from typing import Any, NamedTuple, Self

from prefect import Task
from prefect.futures import PrefectFuture
from prefect.settings import PREFECT_API_URL
from prefect.task_runners import ProcessPoolTaskRunner

from tasks.base.errors import UserMistake
from tasks.planning.runners import is_here
from tasks.prompting.options import Options

Submit = Callable[[Task[Any, Any], dict[str, Any]], PrefectFuture[Any]]


class Engine(NamedTuple):
    """A function that runs a task on a worker process, and the number of workers wanted."""

    submit: Submit
    workers: int


@contextlib.contextmanager
def engine(options: Options) -> Iterator[Engine]:
    """Open the engine of the options for the block; a local cluster ends with it.

    Raises UserMistake if no cluster answers at its address.
    """
    _require_server(options)
    open_one = {"processes": _processes, "dask": _dask, "ray": _ray}[options.runner]
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environment())
        with uninterrupted():
            one = stack.enter_context(open_one(options))
        yield one


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Keep Ctrl-C from processes and threads that are started in the block: this process stops them itself."""
    resource_tracker.ensure_running()  # started first, as its start unblocks Ctrl-C in this thread
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Pass Prefect's server to processes that are started in the block, and make them log there only.

    Threads that Prefect starts in them read no settings but these environment variables.
    """
    told = {"PREFECT_API_URL": PREFECT_API_URL.value() or "", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"}
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def _processes(options: Options) -> Iterator[Engine]:
    """Use a pool for each process: in a common pool, one killed process would end the others, too."""
    with contextlib.ExitStack() as stack:

        def submit(task: Task[Any, Any], parameters: dict[str, Any]) -> PrefectFuture[Any]:
            pool = _Pool(max_workers=1)
            stack.enter_context(pool)
            future: PrefectFuture[Any] = pool.submit(task, parameters)
            return future

        yield Engine(submit, options.workers or _processors())


class _Pool(ProcessPoolTaskRunner):
    """A pool whose log-forwarding thread has Prefect's settings: without them, it would start a server of its own."""

    def __enter__(self) -> Self:
        self._context = copy_context()
        return super().__enter__()

    def _forward_subprocess_messages(self) -> None:
        self._context.run(super()._forward_subprocess_messages)


@contextlib.contextmanager
def _dask(options: Options) -> Iterator[Engine]:
    from prefect_dask.task_runners import DaskTaskRunner  # noqa: PLC0415 - an extra, and it takes its time

    workers = options.workers or _processors()
    local = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None, "memory_limit": 0,
             "silence_logs": logging.CRITICAL}  # fmt: skip
    address = options.runner_address
    runner = DaskTaskRunner(address=address) if address else DaskTaskRunner(cluster_kwargs=local)
    with contextlib.ExitStack() as stack:
        stack.enter_context(runner)
        try:
            there = len(runner.client.scheduler_info(n_workers=-1)["workers"])
        except OSError as error:
            raise _unanswered(options, error) from error
        yield Engine(runner.submit, options.workers or max(1, there))


@contextlib.contextmanager
def _ray(options: Options) -> Iterator[Engine]:
    import ray  # noqa: PLC0415 - an extra, and it takes its time
    from prefect_ray import RayTaskRunner  # noqa: PLC0415 - as above

    local = {"num_cpus": options.workers or _processors(), "include_dashboard": False}
    address = options.runner_address
    runner: Any = RayTaskRunner(
        address, {"log_to_driver": False, "logging_level": "error", **({} if address else local)}
    )
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(runner)
        except (OSError, RuntimeError, ValueError) as error:
            raise _unanswered(options, error) from error
        resources: Any = ray.cluster_resources  # untyped
        yield Engine(runner.submit, options.workers or max(1, int(resources().get("CPU", 1))))


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def _unanswered(options: Options, error: Exception) -> UserMistake:
    where = f"--runner-address {options.runner_address}" if options.runner_address else f"--runner {options.runner}"
    said = " ".join(str(error).split())[:200]
    return UserMistake(f"{where}: no cluster can be used there ({said}): start it, or mend the address")


def _require_server(options: Options) -> None:
    """Raise UserMistake where workers on other machines could not reach Prefect's server."""
    url = PREFECT_API_URL.value() or ""
    host = urllib.parse.urlsplit(url).hostname
    if not is_here(options.runner_address) and host in {None, "127.0.0.1", "localhost", "::1"}:
        raise UserMistake(
            "--runner-address: workers on other machines can't reach this machine's own Prefect server: "
            "set PREFECT_API_URL to one that they can"
        )
