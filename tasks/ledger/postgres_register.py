"""A register in a PostgreSQL database, shared by several machines; its time is the server's."""

import psycopg

from tasks.base.errors import StorageFailed
from tasks.ledger.postgres_connection import Connection, Database
from tasks.ledger.register import TABLE, Change, T

SCHEMA = "docmill_limits"
# A statement or transaction that takes longer is cancelled.
TIMES = "SET statement_timeout TO 1500; SET idle_in_transaction_session_timeout TO 5000"
FIND_NOW = b"SELECT text, extract(epoch FROM clock_timestamp())::float8 FROM register WHERE name = %s FOR UPDATE"
PUT = b"UPDATE register SET text = %s WHERE name = %s"
BEGUN = b"INSERT INTO register (name, text) VALUES (%s, '') ON CONFLICT (name) DO NOTHING"


class PostgresRegister:
    """A table of a schema of its own."""

    def __init__(self, server: Database) -> None:
        self._server = server
        self._connection: Connection | None = None

    @property
    def name(self) -> str:
        """The schema and the database's URL."""
        return self._server.name

    def open(self) -> None:
        """Make the table where there is none. Raises UserMistake where the server can't be used."""
        connection = self._server.opened()
        try:
            with connection.transaction():
                # Two that begin at once would both make it.
                connection.execute(b"SELECT pg_advisory_xact_lock(hashtext(%s))", (SCHEMA,))
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self._server.schema}".encode())
                connection.execute(TABLE.encode())
        except psycopg.Error as error:
            raise self._server.mistake(error) from None
        finally:
            connection.close()

    def change(self, name: str, change: Change[T]) -> T:
        """Change a text under its row's lock; where a connection is lost meanwhile, once more on a new one."""
        had_one = self._connection is not None
        try:
            try:
                return self._changed(name, change)
            except (psycopg.OperationalError, psycopg.InterfaceError):
                if not had_one or self._connection is None or not self._connection.closed:
                    raise
                return self._changed(name, change)
        except (psycopg.Error, OSError) as error:
            self.close()
            raise StorageFailed(f"{self.name} can't be reached: {self._server.said(error)}") from None

    def _changed(self, name: str, change: Change[T]) -> T:
        connection = self._connected()
        with connection.transaction():
            found = connection.execute(FIND_NOW, (name,)).fetchone()
            if found is None:
                connection.execute(BEGUN, (name,))
                found = connection.execute(FIND_NOW, (name,)).fetchone()
            text, now = found or ("", 0.0)
            text, result = change(str(text), float(now))
            connection.execute(PUT, (text, name))
        return result

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._server.connect(connect_timeout=2, tcp_user_timeout=3000)
            self._connection.execute(TIMES.encode())
        return self._connection
