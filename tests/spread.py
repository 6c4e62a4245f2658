"""How the tests are spread over the workers of `pytest -n`."""

from xdist.scheduler import LoadScopeScheduling

FLOWS = "tests/flows/"
# Each of its tests runs processes of its own.
ALONE = ("tests/flows/test_command.py", "tests/flows/test_monitor.py")


class Spread(LoadScopeScheduling):  # type: ignore[misc]
    """One test after the other to whoever is free; those of flows to one worker, for they share a Prefect server."""

    def _split_scope(self, nodeid: str) -> str:
        return FLOWS if nodeid.startswith(FLOWS) and not nodeid.startswith(ALONE) else nodeid
