"""The ledger in PostgreSQL: its tables, and the values that it takes."""

from collections.abc import Iterable, Sequence
from functools import cache

from tasks.ledger.query import in_postgres
from tasks.ledger.store import Asked, Many, Row, Value

SCHEMA = """
CREATE FUNCTION document_key(text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT sha256(convert_to($1, 'UTF8')) $$;
CREATE TABLE jobs (
    rowid bigint GENERATED ALWAYS AS IDENTITY, job_id text PRIMARY KEY, work text NOT NULL, status text NOT NULL,
    started_at text NOT NULL
);
CREATE TABLE answers (
    call_id text PRIMARY KEY, job_id text NOT NULL, document_id text NOT NULL, provider text NOT NULL,
    model text NOT NULL, status bigint NOT NULL, body bytea NOT NULL, attempts bigint NOT NULL,
    latency_ms bigint NOT NULL, worst_usd double precision, cost_usd double precision,
    created_at double precision NOT NULL, checksum bigint NOT NULL
);
CREATE TABLE documents (
    document_id text NOT NULL, job_id text NOT NULL, work text NOT NULL, content_sha256 text,
    status text NOT NULL, part bigint NOT NULL, calls bigint NOT NULL DEFAULT 0,
    reused_calls bigint NOT NULL DEFAULT 0, prompt_tokens bigint NOT NULL DEFAULT 0,
    completion_tokens bigint NOT NULL DEFAULT 0, cost_usd double precision
);
CREATE UNIQUE INDEX document_keys ON documents (document_key(document_id));
CREATE INDEX answers_of_job ON answers (job_id);
CREATE TABLE texts (
    text_id text PRIMARY KEY, job_id text NOT NULL, document_id text NOT NULL, call_id text, place bigint
);
CREATE TABLE notes (name text PRIMARY KEY, text text NOT NULL);
"""
# What version 5 added to version 4.
SCHEMA_5 = """
CREATE TABLE exchanges (
    exchange_id text PRIMARY KEY, call_id text NOT NULL, job_id text NOT NULL, document_id text NOT NULL,
    reason text NOT NULL, prompt_tokens bigint, completion_tokens bigint, worst_usd double precision,
    cost_usd double precision, attempts bigint NOT NULL, latency_ms bigint NOT NULL, served_by text,
    created_at double precision NOT NULL
);
CREATE INDEX exchanges_of_job ON exchanges (job_id);
"""
# No text of PostgreSQL's holds a NUL; an id, which is a name in somebody's table, may.
ESCAPE, NUL = "\x1b", "\0"


@cache
def of_many(statement: Many) -> str:
    """Return a statement that takes an array a column: it is the same for any number of rows."""
    arrays = ", ".join(f"%s::{one}[]" for one in statement.types)
    return f"{statement.head} SELECT * FROM unnest({arrays}) {in_postgres(statement.tail)}"  # noqa: S608 - our own


def columns(statement: Many, rows: Sequence[Row]) -> list[list[Value]]:
    """Return rows as an array a column."""
    return [
        [None if value is None else float(value) for value in column] if kind == "float8" else taken(column)
        for kind, column in zip(statement.types, zip(*rows, strict=True), strict=True)
    ]


def taken(values: Iterable[Value]) -> list[Value]:
    """Return values as PostgreSQL takes them."""
    return [_escaped(value) if isinstance(value, str) else value for value in values]


def asked(values: Asked) -> "list[Value | list[Value]]":
    """Return a query's values as PostgreSQL takes them."""
    return [taken(value) if isinstance(value, list) else taken([value])[0] for value in values]


def told(row: Row) -> tuple[Value, ...]:
    """Return a row as it was before `taken`."""
    return tuple([_unescaped(value) if isinstance(value, str) and ESCAPE in value else value for value in row])


def _escaped(text: str) -> str:
    if NUL not in text and ESCAPE not in text:
        return text
    return text.replace(ESCAPE, f"{ESCAPE}[").replace(NUL, f"{ESCAPE}0")


def _unescaped(text: str) -> str:
    return text.replace(f"{ESCAPE}0", NUL).replace(f"{ESCAPE}[", ESCAPE)
