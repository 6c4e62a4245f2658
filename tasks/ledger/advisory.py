"""One run per result set, on any machine: an advisory lock, and the holder's name that every commit checks.

The lock is held by a connection of its own, and is free when that ends for any reason. A
run that lost it takes it again if no other run had it meanwhile; if one had, the name
has changed, and the first run commits no more rows.
"""

import contextlib
import hashlib
import json
import threading
import uuid
from typing import Any

import psycopg

from tasks.base.errors import LeaderLost, StorageFailed, UserMistake
from tasks.ledger import postgres_connection as server_module
from tasks.ledger.dialect import SCHEMA, SCHEMA_5
from tasks.ledger.lock import in_use, me, named
from tasks.ledger.postgres_connection import Connection, Database, pauses
from tasks.ledger.tables import VERSION

WATCH_SECONDS = 5.0
UNLOCK = b"SELECT pg_advisory_unlock(%s)"
LOCK = b"SELECT pg_try_advisory_lock(%s)"
_LOCKS = b"FROM pg_locks WHERE locktype = 'advisory' AND (classid::bigint << 32) | objid::bigint = %s AND pid = "
HELD = b"SELECT count(*) " + _LOCKS + b"pg_backend_pid()"
# A connection that broke on our side may seem to live on the server's.
END = b"SELECT pg_terminate_backend(pid) " + _LOCKS + b"%s"
PUT = b"INSERT INTO notes (name, text) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET text = excluded.text"
GET = b"SELECT text FROM notes WHERE name = %s"
HOLDER, VERSION_NOTE = "holder", "version"


class Hold:
    """A result set's lock, held from `take` to `release`; `lost` is the error if it was lost in between."""

    def __init__(self, server: Database) -> None:
        self._server = server
        self._key = int.from_bytes(hashlib.sha256(server.schema.encode()).digest()[:8], signed=True)
        self._me = json.dumps({**json.loads(me()), "run": uuid.uuid4().hex})
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="ledger-lock", daemon=True)
        self.lost: StorageFailed | None = None

    def take(self) -> None:
        """Take the lock, and make the tables where there are none. Raises UserMistake, naming who has it."""
        connection = self._server.opened()
        try:
            self._begin(connection)
        except psycopg.Error as error:
            raise self._server.mistake(error) from None
        finally:
            if not self._watcher.is_alive():
                connection.close()

    def _begin(self, connection: Connection) -> None:
        if not _fetched(connection, LOCK, self._key):
            raise in_use(self._server.name, named(_holder(connection)))
        self._prepare(connection)
        connection.execute(PUT, (HOLDER, self._me))
        self._connection, self._pid = connection, connection.info.backend_pid
        self._watcher.start()

    def release(self) -> None:
        """Free the lock."""
        self._ended.set()
        self._watcher.join()
        # Unlock explicitly, as the server may be slow to notice a closed connection.
        with contextlib.suppress(psycopg.Error):
            self._connection.execute(UNLOCK, (self._key,))
        self._connection.close()

    def prove(self, connection: Connection) -> None:
        """Raise StorageFailed unless this run holds the result set until the transaction ends."""
        if self.lost is not None:
            raise self.lost
        holder = _fetched(connection, GET + b" FOR SHARE", HOLDER)
        if holder != self._me:
            raise self._taken(holder)

    def _prepare(self, connection: Connection) -> None:
        """Make the schema and its tables, all or none. Raises UserMistake for those of another version."""
        if _fetched(connection, b"SELECT to_regclass('notes')") is None:
            with connection.transaction():
                if _fetched(connection, b"SELECT to_regnamespace(%s)", self._server.schema) is None:
                    connection.execute(f"CREATE SCHEMA {self._server.schema}".encode())
                connection.execute(SCHEMA.encode())
                connection.execute(PUT, (VERSION_NOTE, "4"))
        if _fetched(connection, GET, VERSION_NOTE) == "4":
            with connection.transaction():
                connection.execute(SCHEMA_5.encode())
                connection.execute(PUT, (VERSION_NOTE, str(VERSION)))
        version = _fetched(connection, GET, VERSION_NOTE)
        if version != str(VERSION):
            raise UserMistake(
                f"the ledger {self._server.name} is of version {version}, not {VERSION}: "
                "give another --output, or drop the schema and pay for its answers anew"
            )

    def _watch(self) -> None:
        while not self._ended.wait(WATCH_SECONDS):
            if not self._holds() and not self._taken_again() and not self._ended.is_set():
                self.lost = self.lost or StorageFailed(
                    f"the lock of {self._server.name} was lost, and can't be taken again: "
                    "mend the server and run the same command again"
                )
                return

    def _holds(self) -> bool:
        try:
            return bool(_fetched(self._connection, HELD, self._key))
        except psycopg.Error:
            return False

    def _taken_again(self) -> bool:
        """Try for a while to take the lock on a new connection, unless another run had it meanwhile."""
        for pause in pauses(server_module.PATIENCE_SECONDS):
            with contextlib.suppress(psycopg.Error), contextlib.ExitStack() as undo:
                connection = self._server.connect()
                undo.callback(connection.close)
                if self._take_again(connection):
                    undo.pop_all()
                    return True
            if self.lost or self._ended.wait(pause):
                break
        return False

    def _take_again(self, connection: Connection) -> bool:
        connection.execute(END, (self._key, self._pid))
        if not _fetched(connection, LOCK, self._key):
            return False
        holder = _fetched(connection, GET, HOLDER)
        if holder != self._me:
            self.lost = self._taken(holder)
            return False
        self._connection.close()
        self._connection, self._pid = connection, connection.info.backend_pid
        return True

    def _taken(self, holder: object) -> StorageFailed:
        return StorageFailed(
            f"{self._server.name} was taken over by {named(str(holder))} while the lock was lost: "
            "wait for it and run the same command again"
        )


class Guest:
    """A worker's check, at each commit, that the run it works for still holds the result set."""

    def __init__(self, server: Database, holder: str) -> None:
        self._server, self._holder = server, holder

    def prove(self, connection: Connection) -> None:
        """Raise LeaderLost unless that run holds it until the transaction ends."""
        holder = _fetched(connection, GET + b" FOR SHARE", HOLDER)
        if holder != self._holder:
            raise LeaderLost(f"{self._server.name} was taken over by {named(str(holder))}")


def _fetched(connection: Connection, sql: bytes, *values: str | int) -> Any:
    """Return the one value that a query gives; None where it gives no row."""
    row = connection.execute(sql, values).fetchone()
    return row[0] if row else None


def _holder(connection: Connection) -> str:
    """Return who is noted as the holder; "" where there are no tables yet."""
    try:
        return str(_fetched(connection, GET, HOLDER))
    except psycopg.Error:
        return ""
