"""A statement of the ledger in the SQL of each database that may hold it."""

from dataclasses import dataclass

# Where the databases differ: the placeholder of a value and of a list of names (also one value), the unique
# key of a document by its id, and the hint that makes a query read an index.
SQLITE = {
    "value": "?",
    "values": "IN (SELECT value FROM json_each(?))",  # it reads one list of many names from JSON
    "document_key": "document_id",
    "name_key": "name",
    "document_among": "document_id IN (SELECT value FROM json_each(?))",
    "by_call_ids": "INDEXED BY call_ids",
}
# An index takes keys of some 2,700 bytes, and a document's id may be longer: its digest stands for it.
POSTGRES = {
    "value": "%s",
    "values": "= ANY (%s::text[])",
    "document_key": "document_key(document_id)",
    "name_key": "document_key(name)",
    "document_among": (
        "document_key(document_id) IN (SELECT document_key(name) FROM unnest(%s::text[]) AS asked (name))"
    ),
    "by_call_ids": "",
}


@dataclass(frozen=True, slots=True)
class Query:
    """One statement, as each database takes it."""

    sqlite: str
    postgres: str


# A text is the same everywhere: one without values.
Sql = Query | str


def query(template: str) -> Query:
    """Return the statement of a template whose fields are the databases' own words, as `{value}`."""
    return Query(template.format(**SQLITE), template.format(**POSTGRES))


def in_sqlite(sql: Sql) -> str:
    """Return a statement as SQLite takes it."""
    return sql.sqlite if isinstance(sql, Query) else sql


def in_postgres(sql: Sql) -> str:
    """Return a statement as PostgreSQL takes it."""
    return sql.postgres if isinstance(sql, Query) else sql
