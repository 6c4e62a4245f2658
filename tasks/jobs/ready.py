"""Hand a job that was prepared before its flow began over to the flow.

The command line prepares and plans while Prefect's server starts; a flow that is
called otherwise prepares by itself.
"""

from collections.abc import Sequence

from tasks.jobs.meter import Meter
from tasks.jobs.options import Options
from tasks.jobs.prepare import Prepared, prepare
from tasks.providers.account import Keys

_OFFERED: list[tuple[Prepared, Meter]] = []


def offer(prepared: Prepared, meter: Meter) -> None:
    """Leave a prepared job for the flow that is about to be called in this process."""
    _OFFERED.append((prepared, meter))


def take(flow: str, inputs: Sequence[str], options: Options, *, keys: Keys) -> tuple[Prepared, Meter]:
    """Return the job that was offered for these inputs and options, or prepare it now."""
    for offered in _OFFERED:
        prepared = offered[0]
        if (prepared.flow, prepared.inputs, prepared.options) == (flow, tuple(inputs), options):
            _OFFERED.remove(offered)
            return offered
    return prepare(flow, inputs, options, keys=keys), Meter()
