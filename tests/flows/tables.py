"""Read results as a person does: with DuckDB."""

from typing import Any

import duckdb


def query(sql: str) -> list[tuple[Any, ...]]:
    """Return all rows of a query."""
    with duckdb.connect() as connection:
        return connection.execute(sql).fetchall()
