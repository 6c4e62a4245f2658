"""Where a job's result set remembers what it paid: beside the results, or where `--state` says."""

import hashlib
import re
from pathlib import Path

from tasks.jobs.options import Options
from tasks.ledger.state import LocalState

BESIDE = ".docmill"


def state_of(options: Options) -> LocalState:
    """Return the state of a job's result set: one folder may hold those of several."""
    if options.state is None:
        return LocalState(options.output / BESIDE)
    return LocalState(Path(options.state) / result_set_name(str(options.output.absolute())))


def result_set_name(place: str) -> str:
    """Return a name for the result set at a place, that no other has."""
    words = re.sub(r"[^a-z0-9]+", "-", place.lower()).strip("-")[-40:].strip("-")
    return f"{words}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
