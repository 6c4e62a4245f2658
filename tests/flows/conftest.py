"""One Prefect server for all flow tests."""

import logging
import os
from collections.abc import Iterator

import pytest

# Before Prefect is imported, or the server calls home.
os.environ |= {"DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}

from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session", autouse=True)
def prefect() -> Iterator[None]:
    """A temporary server and database, once a session."""
    logging.getLogger("prefect").setLevel(logging.CRITICAL)
    with prefect_test_harness(server_startup_timeout=90):
        yield
