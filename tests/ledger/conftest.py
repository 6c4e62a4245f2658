"""The two kinds of state that a ledger may lie in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.ledger.postgres_state import PostgresState
from tasks.ledger.state import LocalState, State
from tests.ledger.server import PASSWORD, PostgresServer, binaries, running


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    programs = binaries()
    if programs is None:
        pytest.skip("there is no PostgreSQL here: apt-get install postgresql")
    with running(programs) as one:
        yield one


@pytest.fixture
def database(server: PostgresServer) -> Iterator[PostgresServer]:
    """The server, with nothing in its database."""
    yield server
    server.start()
    server.drop_all()


@pytest.fixture(params=["sqlite", "postgres"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> State:
    """An empty state of each kind."""
    if request.param == "sqlite":
        return LocalState(tmp_path / ".docmill")
    database: PostgresServer = request.getfixturevalue("database")
    return PostgresState(database.url, "docmill_tests", PASSWORD)
