"""Whether a job can be done by the workers that its options name."""

import urllib.parse
from importlib.util import find_spec

from tasks.base.errors import UserMistake
from tasks.base.settings import Settings
from tasks.ledger.address import is_url
from tasks.planning.state_location import state_name
from tasks.prompting.options import Options

PACKAGES = {"dask": "prefect_dask", "ray": "prefect_ray"}
HERE = frozenset({"", "localhost", "127.0.0.1", "::1"})


def require_workers(options: Options, settings: Settings) -> None:
    """Raise UserMistake where options don't go together, or a package is missing."""
    runner, address = options.runner, options.runner_address
    if runner == "threads" and options.workers is not None:
        raise UserMistake(f"--workers {options.workers} needs --runner processes, dask or ray")
    if address is not None and runner not in PACKAGES:
        raise UserMistake(f"--runner-address {address} needs --runner dask or ray")
    if runner in PACKAGES and find_spec(PACKAGES[runner]) is None:
        raise UserMistake(f"--runner {runner} needs a package: pip install 'docmill[{runner}]'")
    if not is_here(address) and not is_url(state_name(options, settings)):
        raise UserMistake(
            f"--runner-address {address}: workers on other machines need the ledger in a database: "
            "give --state postgresql://…"
        )


def is_here(address: str | None) -> bool:
    """Whether a cluster's address is of this machine; no address is."""
    if address is None:
        return True
    parts = urllib.parse.urlsplit(address if "://" in address else f"//{address}")
    return (parts.hostname or "") in HERE
