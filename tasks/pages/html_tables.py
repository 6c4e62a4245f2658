"""Query a result set's tables by DuckDB, which reads the files in place and returns mostly sums."""

import contextlib
import glob
from collections.abc import Iterator, Sequence
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from tasks.documents.object_store import opened
from tasks.results.location import Folder

# Nothing is fetched or installed for a query.
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
# A completion call has one row; an embedding request has a row for each document, with its share.
_CALLS = """create view asked as select provider, model, prompt_tokens, completion_tokens, cost_usd, latency_ms,
    attempts, finish_reason, epoch_ms(created_at) as arrived from calls where not reused"""
_REQUESTS = """create view asked as select any_value(provider) as provider, any_value(model) as model,
    sum(prompt_tokens)::bigint as prompt_tokens, sum(completion_tokens)::bigint as completion_tokens,
    case when count(cost_usd) = count(*) then sum(cost_usd) end as cost_usd, max(latency_ms) as latency_ms,
    max(attempts) as attempts, any_value(finish_reason) as finish_reason, epoch_ms(max(created_at)) as arrived
    from calls where not reused group by call_id"""


class Tables:
    """An open connection to the tables; `asked` is the view of what was asked and paid for, a row a request."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query. Raises duckdb.Error, as where a part is damaged."""
        return self._connection.execute(sql, list(values)).fetchall()

    def columns(self, sql: str, *values: object) -> list[NDArray[np.int64]]:
        """Return the columns of a query, which are whole numbers and never null. Raises duckdb.Error."""
        return list(self._connection.execute(sql, list(values)).fetchnumpy().values())

    def row(self, sql: str, *values: object) -> tuple[Any, ...]:
        """Return the one row of sums."""
        return self.rows(sql, *values)[0]


@contextlib.contextmanager
def reading(folder: Folder, tables: Sequence[str] = ("documents", "calls", "failures")) -> Iterator[Tables]:
    """Open a result set's tables for the block. Raises duckdb.Error where one of them can't be read."""
    with duckdb.connect(config=_SETTINGS) as connection:
        place = _place(folder, connection)
        for table in tables:
            files = f"{place}/{table}/part-*.parquet".replace("'", "''")
            connection.execute(f"create view {table} as select * from read_parquet('{files}')")
        found = connection.execute("select kind from calls limit 1").fetchone()
        connection.execute(_REQUESTS if found == ("embedding",) else _CALLS)
        yield Tables(connection)


def _place(folder: Folder, connection: duckdb.DuckDBPyConnection) -> str:
    """Return the tables' location as DuckDB takes it, with pattern characters escaped."""
    if folder.path is not None:
        return glob.escape(str(folder.path.absolute()))
    connection.register_filesystem(opened(folder.location).system)
    return glob.escape(folder.location)
