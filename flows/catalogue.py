"""Print the catalogue: `python -m flows.catalogue [--refresh] [--provider P] [--model M] [--subtype S] [--json]`."""

import sys

from prefect import flow

from tasks.catalogue_command import main, read_lists, report


@flow(flow_run_name="read the providers' lists", persist_result=False)
def catalogue(provider: str | None = None) -> None:
    """Read the providers' lists of models, prices and windows, keep them, and report what changed.

    Raises UserMistake where no provider has a key, and RouteDown where none could be read.

    Args:
        provider: One provider; all with a key where none is named.
    """
    report(read_lists(provider))


if __name__ == "__main__":
    sys.exit(main(__doc__))
