"""How the tests are spread over the workers of `pytest -n`."""

from xdist.scheduler import LoadScopeScheduling

FLOWS = "tests/flows/"


class Spread(LoadScopeScheduling):  # type: ignore[misc]
    """One test after the other to whoever is free; a module of flows to one worker, for its tests share a server."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if nodeid.startswith(FLOWS) else nodeid
