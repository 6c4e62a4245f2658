"""Prefect for the tests of flows: one server a worker, for those in its process and for most command lines."""

import contextlib
import logging
import os
from collections.abc import Iterator

import pytest

# Before Prefect is imported, or the server calls home.
os.environ |= {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}

from tasks.prefect_server import starting_server


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Command lines that start a server keep their runs in a database of this session, not in the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        yield


@pytest.fixture(scope="session", autouse=True)
def prefect(home: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a database of its own; in this process Prefect is set up with it."""
    logging.getLogger("prefect").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("shared")))
            server = stack.enter_context(starting_server())
        stack.enter_context(server.ready())
        yield f"http://127.0.0.1:{server.port}/api"
