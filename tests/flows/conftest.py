"""Prefect for the tests of flows: a server for those in this process, a home for the others."""

import logging
import os
from collections.abc import Iterator

import pytest

# Before Prefect is imported, or the server calls home.
os.environ |= {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}

from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Command lines keep their runs in a database of this session, not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        yield


@pytest.fixture(scope="session", autouse=True)
def prefect() -> Iterator[None]:
    """A temporary server and database, once a session; modules that run processes alone need none."""
    logging.getLogger("prefect").setLevel(logging.CRITICAL)
    with prefect_test_harness(server_startup_timeout=90):
        yield
