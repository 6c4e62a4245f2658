"""Where a job's result set remembers what it paid: beside the results, or where `--state` says."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from tasks.errors import UserMistake
from tasks.jobs.options import Options
from tasks.ledger.address import is_url
from tasks.ledger.state import LocalState, State
from tasks.providers.account import read_environment

BESIDE = ".docmill"
VARIABLE = "DOCMILL_STATE"


def state_of(options: Options, environment: Mapping[str, str] | None = None) -> State:
    """Return the state of a job's result set: one folder or database may hold those of several.

    DOCMILL_STATE, which may hold a password, says where where the options don't. Raises
    UserMistake for a place that is none.
    """
    environment = read_environment() if environment is None else environment
    place = options.state or environment.get(VARIABLE, "").strip()
    if not place:
        return LocalState(options.output / BESIDE)
    name = result_set_name(str(options.output.absolute()))
    return _in_database(place, name, environment) if is_url(place) else LocalState(Path(place) / name)


def result_set_name(place: str) -> str:
    """Return a name for the result set at a place, that no other has."""
    words = re.sub(r"[^a-z0-9]+", "-", place.lower()).strip("-")[-40:].strip("-")
    return f"{words}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"


def _in_database(url: str, name: str, environment: Mapping[str, str]) -> State:
    try:
        from tasks.ledger.postgres_state import PostgresState  # noqa: PLC0415 - who asks for none needs no driver
    except ImportError as error:
        raise UserMistake("--state postgresql:// needs psycopg: pip install 'docmill[postgres]'") from error
    return PostgresState(url, f"docmill_{name.replace('-', '_')}", environment.get("PGPASSWORD"))
