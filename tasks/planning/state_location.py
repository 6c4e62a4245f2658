"""The location of a result set's state, and how a job holds a result set.

The state of a folder is inside it, that of a bucket on this machine; `--state` or
DOCMILL_STATE may name another location.
"""

import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

from tasks.base.errors import InUse, StorageFailed, UserMistake
from tasks.base.settings import Settings
from tasks.ledger.address import is_url
from tasks.ledger.lock import hold as hold_folder
from tasks.ledger.state import LocalState, State
from tasks.prompting.options import Options
from tasks.results.bucket import RemoteFolder
from tasks.results.bucket_lock import held

BESIDE = ".docmill"
VARIABLE = "DOCMILL_STATE"
LOOK_AGAIN_SECONDS = 1.0


def state_of(options: Options, settings: Settings) -> State:
    """Return the state of a job's result set: one folder or database may hold those of several.

    DOCMILL_STATE, which may hold a password, says where where the options don't. Raises
    UserMistake for a place that is none.
    """
    path, named = options.folder.path, state_name(options, settings)
    if path is not None and not named:
        return LocalState(path / BESIDE)
    place = options.folder.location if path is None else str(path.absolute())
    name = result_set_name(place)
    if is_url(named):
        return _in_database(named, name, settings)
    return LocalState((Path(named) if named else platformdirs.user_state_path("docmill")) / name, place)


def elsewhere(options: Options, state: State) -> str | None:
    """Return where the state of a result set lies, or None where that is beside the results."""
    path = options.folder.path
    return None if path is not None and state.name == str(path / BESIDE) else state.name


@contextlib.contextmanager
def holding(options: Options, state: State, lost: Callable[[StorageFailed], None]) -> Iterator[None]:
    """Hold a result set while the block runs: what it remembers, and its place where that lies elsewhere.

    Another run that holds it is waited for as long as the options say. `lost` is called, again
    and again, while another run has taken a bucket's over. Raises InUse naming who holds it.
    """
    with _taken(options, state, lost, time.monotonic() + options.wait):
        yield


def _taken(options: Options, state: State, lost: Callable[[StorageFailed], None], until: float) -> contextlib.ExitStack:
    """Take a result set; the stack frees it. Raises InUse."""
    folder = options.folder
    while True:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(state.hold())
                if isinstance(folder, RemoteFolder):
                    stack.enter_context(held(folder, lost))
                elif folder.path is not None and elsewhere(options, state):
                    stack.enter_context(hold_folder(folder.path / BESIDE))
                return stack.pop_all()
            except InUse:
                if time.monotonic() >= until:
                    raise
        time.sleep(LOOK_AGAIN_SECONDS)


def state_name(options: Options, settings: Settings) -> str:
    """Return the folder or database that is named to hold the states of result sets, or ""."""
    return options.state or settings.word(VARIABLE)


def result_set_name(place: str) -> str:
    """Return a name for the result set at a place, that no other has."""
    words = re.sub(r"[^a-z0-9]+", "-", place.lower()).strip("-")[-40:].strip("-")
    return f"{words}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"


def _in_database(url: str, name: str, settings: Settings) -> State:
    try:
        from tasks.ledger.postgres_state import PostgresState  # noqa: PLC0415 - who asks for none needs no driver
    except ImportError as error:
        raise UserMistake("--state postgresql:// needs psycopg: pip install 'docmill[postgres]'") from error
    return PostgresState(url, f"docmill_{name.replace('-', '_')}", settings.get("PGPASSWORD"))
