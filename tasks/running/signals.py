"""SIGINT and SIGTERM: drain what is in flight, and leave; the second time at once."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from tasks.base.errors import Interrupted
from tasks.jobs.job import Job
from tasks.jobs.job_context import DRAIN_SECONDS

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def interruptible(job: Job) -> Iterator[None]:
    """Stop the job at the first signal while the block runs, and the process at the second.

    Signals reach the main thread only: elsewhere nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _: FrameType | None) -> None:
        if isinstance(job.stopped(), Interrupted):
            os._exit(128 + number)
        job.stop(Interrupted(number), DRAIN_SECONDS)

    before = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
