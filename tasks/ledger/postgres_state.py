"""A result set's ledger, lock and notes in a PostgreSQL database, the same from every machine."""

import contextlib
from collections.abc import Iterator

import psycopg

from tasks.ledger.address import address_of
from tasks.ledger.advisory import HOLDER, Guest, Hold
from tasks.ledger.dialect import asked, columns, of_many, told
from tasks.ledger.ledger import Ledger
from tasks.ledger.postgres import PostgresStore
from tasks.ledger.postgres_connection import Database
from tasks.ledger.query import Query, Sql, in_postgres
from tasks.ledger.statements import TEXT
from tasks.ledger.store import Asked, Many, Value

NOTE = Query("", "SELECT text FROM notes WHERE name = %s")
PUT = Many("INSERT INTO notes (name, text)", (TEXT, TEXT), "ON CONFLICT (name) DO UPDATE SET text = excluded.text")
APPEND = Many(
    "INSERT INTO notes (name, text)",
    (TEXT, TEXT),
    "ON CONFLICT (name) DO UPDATE SET text = notes.text || excluded.text",
)


class PostgresState:
    """A schema of a database; `password` is taken where the URL holds none."""

    def __init__(self, url: str, schema: str, password: str | None = None) -> None:
        self.schema = schema
        self._server = Database(address_of(url, password), schema)
        self._hold: Hold | None = None
        self._store: PostgresStore | None = None

    @property
    def name(self) -> str:
        """The schema and the database's URL."""
        return self._server.name

    @contextlib.contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the schema, which is made where there is none; it is free when the process or its machine dies.

        Raises UserMistake naming the holder, or what keeps the server from being used.
        """
        hold = Hold(self._server)
        hold.take()
        self._hold = hold
        try:
            yield
        finally:
            self._hold = self._store = None
            hold.release()

    def open(self, *, fresh: bool = False) -> Ledger:
        """Open the ledger, while the schema is held. Raises StorageFailed."""
        if self._hold is None:
            raise RuntimeError("the ledger of a result set that isn't held")
        self._store = PostgresStore(self._server, self._hold)
        return Ledger(self._store, fresh=fresh)

    @contextlib.contextmanager
    def join(self, *, fresh: bool = False) -> Iterator[Ledger]:
        """Open the tables that the run has made; once another run holds them, nothing more is committed."""
        self._store = PostgresStore(self._server, Guest(self._server, self.read(HOLDER)))
        try:
            with contextlib.closing(Ledger(self._store, fresh=fresh)) as ledger:
                yield ledger
        finally:
            self._store = None

    def peek(self, sql: Sql, values: Asked) -> list[tuple[Value, ...]]:
        """Query the tables; nothing where there are none. Raises UserMistake where the server can't be asked."""
        with contextlib.closing(self._server.opened()) as connection:
            connection.read_only = True
            try:
                with connection.transaction():
                    return [told(row) for row in connection.execute(in_postgres(sql).encode(), asked(values))]
            except psycopg.errors.UndefinedTable:
                return []
            except psycopg.Error as error:
                raise self._server.mistake(error) from None

    def read(self, name: str) -> str:
        """Return a row's text, or "". Raises UserMistake where the server can't be asked."""
        found = self.peek(NOTE, (name,))
        return str(found[0][0]) if found else ""

    def write(self, name: str, text: str) -> None:
        """Write a row."""
        self._put(PUT, name, text)

    def append(self, name: str, text: str) -> None:
        """Write at the end of a row; while the ledger is open, with it, as the event loop can't wait."""
        if self._store is not None:
            self._store.note(APPEND, (name, text))
        else:
            self._put(APPEND, name, text)

    def _put(self, statement: Many, name: str, text: str) -> None:
        with contextlib.suppress(psycopg.Error), contextlib.closing(self._server.connect()) as connection:
            connection.execute(of_many(statement).encode(), columns(statement, [(name, text)]))
