"""The ledger's tables in PostgreSQL, for a result set that several machines work on.

A commit is on the server's disk before it is acknowledged. Where the connection
breaks it isn't known whether the last batch was committed: it is written again,
which changes nothing where it was.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import psycopg

from tasks.base.errors import StorageFailed
from tasks.ledger import postgres_connection as server_module
from tasks.ledger.advisory import Guest, Hold
from tasks.ledger.dialect import asked, columns, of_many, taken, told
from tasks.ledger.postgres_connection import Connection, Database, Patience, ReconnectingConnection
from tasks.ledger.query import Sql, in_postgres
from tasks.ledger.store import Asked, Batch, Many, Store, Value

ROWS_AT_ONCE = 10_000
LOCK = b"SELECT pg_advisory_lock(hashtext(%s), %s)"
UNLOCK = b"SELECT pg_advisory_unlock(hashtext(%s), %s)"


class PostgresStore(Store):
    """One schema of a database, written only while it is held."""

    remedy = "mend the server"

    def __init__(self, server: Database, hold: Hold | Guest) -> None:
        super().__init__()
        self._server, self._hold = server, hold
        patience = Patience(server_module.PATIENCE_SECONDS)
        self._reader, self._connection = (
            ReconnectingConnection(server, patience),
            ReconnectingConnection(server, patience),
        )
        self._finder = ReconnectingConnection(server, Patience(0.0))  # the event loop has no time for it
        self._locks = ReconnectingConnection(server, patience)
        self._reading = threading.Lock()
        self._writer.start()

    def read(self, sql: Sql, values: Asked = ()) -> list[tuple[Value, ...]]:
        """Return all rows of a query; where the connection is lost, with patience."""
        with self._reading:
            return self._rows(self._reader, sql, values)

    def stream(self, sql: Sql) -> Iterator[tuple[Value, ...]]:
        """Yield the rows of a query, some at a time."""
        try:
            with (
                contextlib.closing(self._server.connect()) as connection,
                connection.transaction(),
                connection.cursor("stream") as cursor,
            ):
                cursor.itersize = ROWS_AT_ONCE
                yield from map(told, cursor.execute(in_postgres(sql).encode()))
        except psycopg.Error as error:
            raise self._server.failed(error) from None

    def find(self, sql: Sql, values: Asked) -> list[tuple[Value, ...]]:
        """Do as `read`, on the event loop's own connection; a lost one is made anew once."""
        return self._rows(self._finder, sql, values)

    @contextlib.contextmanager
    def alone(self, part: int) -> Iterator[None]:
        """Lock a part's number in the database, which frees it when the connection ends."""
        if isinstance(self._hold, Hold):
            yield
            return
        self._run(self._locks, LOCK, part)
        try:
            yield
        finally:
            self._run(self._locks, UNLOCK, part)

    def _run(self, line: ReconnectingConnection, sql: bytes, part: int) -> None:
        try:
            line.run(lambda connection: connection.execute(sql, (self._server.schema, part)))
        except psycopg.Error as error:
            raise self._server.failed(error) from None

    def doubt(self, why: object) -> StorageFailed:
        """Return the error to raise; what looks wrong stays in the database for inspection."""
        return StorageFailed(
            f"the ledger {self._server.name} isn't what was written: {why}: restore it, or give another --output"
        )

    def close(self) -> None:
        """Commit what is queued and close the connections."""
        super().close()
        for line in (self._connection, self._reader, self._finder, self._locks):
            line.close()

    def _rows(self, line: ReconnectingConnection, sql: Sql, values: Asked) -> list[tuple[Value, ...]]:
        try:
            found = line.run(lambda connection: connection.execute(in_postgres(sql).encode(), asked(values)).fetchall())
        except psycopg.Error as error:
            raise self._server.failed(error) from None
        return list(map(told, found))

    def _commit(self, batch: Batch, *, flush: bool) -> None:  # noqa: ARG002 - a commit is on the disk
        statements = list(_statements(batch))
        try:
            self._connection.run(lambda connection: self._put(connection, statements))
        except psycopg.Error as error:
            raise self._server.failed(error) from None

    def _put(self, connection: Connection, statements: list[tuple[bytes, list[Any]]]) -> None:
        with connection.transaction():
            for sql, values in statements:
                connection.execute(sql, values)
            self._hold.prove(connection)


def _statements(batch: Batch) -> Iterator[tuple[bytes, list[Any]]]:
    for statement, rows in batch:
        if isinstance(statement, Many):
            yield of_many(statement).encode(), columns(statement, rows)
        else:
            yield from ((in_postgres(statement).encode(), taken(row)) for row in rows)
