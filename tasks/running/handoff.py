"""Pass a job that was opened before its flow began on to the flow.

The command line prepares, plans and opens it while Prefect's server starts; a flow that is
called directly does that itself.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from tasks.base.settings import Settings
from tasks.jobs.job import Job
from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tasks.running.opening import open_job

_OFFERED: list[Job[Any]] = []


def offer(job: Job[Any]) -> None:
    """Leave an open job for the flow that is about to be called in this process; the caller closes it."""
    _OFFERED.append(job)


@contextlib.contextmanager
def ready_job(
    flow: str, inputs: Sequence[str], options: Options, settings: Settings | None = None
) -> Iterator[Job[Any]]:
    """Give the job that was offered for these inputs and options, or prepare one and open it for the block."""
    for job in _OFFERED:
        prepared = job.prepared
        if (prepared.flow, prepared.inputs, prepared.options) == (flow, tuple(inputs), options):
            _OFFERED.remove(job)
            yield job
            return
    with open_job(prepare(flow, inputs, options, settings)) as job:
        yield job
