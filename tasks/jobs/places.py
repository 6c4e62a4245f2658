"""Where a job's result set remembers what it paid, and how a job holds it.

That lies beside the results in a folder; for those of a bucket on this machine; or where
`--state` or DOCMILL_STATE says.
"""

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

from tasks.errors import StorageFailed, UserMistake
from tasks.jobs.options import Options
from tasks.ledger.lock import hold as hold_folder
from tasks.ledger.state import LocalState
from tasks.providers.account import read_environment
from tasks.results.holder import held
from tasks.results.remote import RemoteFolder

BESIDE = ".docmill"
VARIABLE = "DOCMILL_STATE"


def state_of(options: Options) -> LocalState:
    """Return the state of a job's result set: one folder may hold those of several."""
    path, named = options.folder.path, _named(options)
    if path is not None and named is None:
        return LocalState(path / BESIDE)
    place = options.folder.place if path is None else str(path.absolute())
    return LocalState((named or platformdirs.user_state_path("docmill")) / result_set_name(place), place)


def elsewhere(options: Options) -> str | None:
    """Return where the state of a result set lies, or None where that is beside the results."""
    beside = options.folder.path is not None and _named(options) is None
    return None if beside else str(state_of(options).folder)


@contextlib.contextmanager
def holding(options: Options, lost: Callable[[StorageFailed], None]) -> Iterator[None]:
    """Hold a result set while the block runs: what it remembers, and its place where that lies elsewhere.

    `lost` is called, again and again, while another run has taken a bucket's over.
    Raises UserMistake naming who holds it.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(state_of(options).hold())
        folder = options.folder
        if isinstance(folder, RemoteFolder):
            stack.enter_context(held(folder, lost))
        elif folder.path is not None and elsewhere(options):
            stack.enter_context(hold_folder(folder.path / BESIDE))
        yield


def _named(options: Options) -> Path | None:
    """Return the folder that is named to hold the states of result sets, if one is."""
    named = options.state or read_environment().get(VARIABLE, "").strip()
    if named and "://" in named:
        # Not repeated: it may hold a password.
        raise UserMistake("--state takes a folder of this machine, not a URL")
    return Path(named) if named else None


def result_set_name(place: str) -> str:
    """Return a name for the result set at a place, that no other has."""
    words = re.sub(r"[^a-z0-9]+", "-", place.lower()).strip("-")[-40:].strip("-")
    return f"{words}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
