"""A PostgreSQL database, and the schema in it that is one result set's, or that of shared limits."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tasks.base.errors import StorageFailed, UserMistake
from tasks.ledger.address import Address

Connection = psycopg.Connection[tuple[Any, ...]]
T = TypeVar("T")
# A machine that is gone is noticed within a minute, from both sides.
TIMES = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
SETTINGS = """
SET synchronous_commit TO on;
SET statement_timeout TO 0;
SET tcp_keepalives_idle TO 30;
SET tcp_keepalives_interval TO 10;
SET tcp_keepalives_count TO 3
"""
OLDEST = 110000
# How long a lost connection is made anew for, and the pauses between.
PATIENCE_SECONDS = 30.0
FIRST_PAUSE, LAST_PAUSE = 0.1, 5.0
PASSWORD = re.compile(r"password|authentication", re.IGNORECASE)
MISSING = re.compile(r"does not exist", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Database:
    """Where the tables are; `schema` needs no quotes. Mistakes speak of `what` is there, and of its `option`."""

    address: Address
    schema: str
    what: str = "state"
    option: str = "--state"

    @property
    def name(self) -> str:
        """The name that messages use: the schema and the database's URL."""
        return f"{self.schema} at {self.address.url}"

    def connect(self, **times: int) -> Connection:
        """Return a connection that commits each statement by itself. Raises psycopg.Error."""
        told = {**TIMES, **times, "application_name": "docmill", **conninfo_to_dict(self.address.url)}
        words: dict[str, Any] = {**told, "client_encoding": "UTF8", **self.address.secrets}
        connection = psycopg.connect(autocommit=True, **words)
        try:
            connection.execute(f"SET search_path TO {self.schema}; {SETTINGS}".encode())
        except psycopg.Error:
            connection.close()
            raise
        return connection

    def opened(self) -> Connection:
        """Return a connection at the start of a run. Raises UserMistake naming what to mend."""
        try:
            connection = self.connect()
        except (psycopg.Error, ValueError) as error:
            raise self.mistake(error) from None
        encoding, version = connection.info.parameter_status("server_encoding"), connection.info.server_version
        if encoding == "UTF8" and version >= OLDEST:
            return connection
        connection.close()
        lacks = "is of a version before 11" if version < OLDEST else f"is encoded in {encoding}, not UTF8"
        raise UserMistake(f"the database of {self.address.url} {lacks}: use another one for {self.option}")

    def said(self, error: Exception | None) -> str:
        """Return an error's message in one line, without the password."""
        primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
        return self.address.hidden(" ".join((primary or str(error)).split()))

    def mistake(self, error: Exception) -> UserMistake:
        """Return the error of a run that can't begin."""
        said = self.said(error)
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            fix = "have its owner GRANT CREATE ON DATABASE, and the rights to the schema, or use another user"
        elif PASSWORD.search(said):
            fix = "set PGPASSWORD, or mend ~/.pgpass or the user's name"
        elif MISSING.search(said):
            fix = "mend the URL, or create it"
        else:
            fix = "start the server, or mend the URL"
        return UserMistake(f"the {self.what} at {self.address.url} can't be used: {said}: {fix}")

    def failed(self, error: Exception | None) -> StorageFailed:
        """Return the error of a run that can't go on."""
        return StorageFailed(
            f"the ledger {self.name} can't be reached: {self.said(error)}: "
            "mend the server and run the same command again"
        )


@dataclass(slots=True)
class Patience:
    """How many seconds to try to reconnect; after these have once been in vain (`is_over`), a single try."""

    seconds: float
    is_over: bool = False


class ReconnectingConnection:
    """A connection of one thread, made anew when it is lost."""

    def __init__(self, server: Database, patience: Patience) -> None:
        self._server, self._patience = server, patience
        self._connection: Connection | None = None

    def run(self, work: Callable[[Connection], T]) -> T:
        """Return the result of `work` on the connection; if that is lost meanwhile, repeat `work` on a new one.

        Raises StorageFailed if none can be made while the patience lasts, and from then on
        without waiting; psycopg.Error if the server refuses the work.
        """
        last: Exception | None = None
        for pause in pauses(0.0 if self._patience.is_over else self._patience.seconds):
            try:
                done = work(self._connected())
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if self._connection is not None and not self._connection.closed:
                    raise
                last = error
                time.sleep(pause)
            else:
                self._patience.is_over = False
                return done
        self._patience.is_over = True
        raise self._server.failed(last) from None

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = None
            self._connection = self._server.connect()
        return self._connection

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()


def pauses(patience: float) -> Iterator[float]:
    """Yield how long to wait after each try: the second one comes at once, the last one before patience ends."""
    deadline = time.monotonic() + patience
    yield 0.0
    pause = FIRST_PAUSE
    while time.monotonic() + pause < deadline:
        yield pause
        pause = min(2 * pause, LAST_PAUSE)
    yield 0.0
