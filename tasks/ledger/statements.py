"""The ledger's statements."""

from collections.abc import Iterable

from tasks.ledger.query import Sql, query
from tasks.ledger.store import Many

TEXT, WHOLE, REAL, BYTES = "text", "int8", "float8", "bytea"


def _upsert(table: str, columns: dict[str, str], update: Iterable[str], *also: str, is_note: bool = False) -> Many:
    """Insert rows; if a row with the same first column exists, overwrite its columns in `update`."""
    changes = ", ".join([*(f"{name} = excluded.{name}" for name in update), *also])
    head, key = f"INSERT INTO {table} ({', '.join(columns)})", next(iter(columns))
    tail: Sql = f"ON CONFLICT ({key}) DO UPDATE SET {changes}"
    if table == "documents":
        tail = query("ON CONFLICT ({document_key}) DO UPDATE SET " + changes)
    return Many(head, tuple(columns.values()), tail, is_note)


_ANSWER = {
    "call_id": TEXT, "job_id": TEXT, "document_id": TEXT, "provider": TEXT, "model": TEXT, "status": WHOLE,
    "body": BYTES, "attempts": WHOLE, "latency_ms": WHOLE, "worst_usd": REAL, "created_at": REAL, "checksum": WHOLE,
}  # fmt: skip
# If it was paid for again, its cost is unknown again.
ANSWER = _upsert("answers", _ANSWER, list(_ANSWER)[1:], "cost_usd = NULL")
COST = Many(
    "WITH noted (id, cost) AS (",
    (TEXT, REAL),
    ") UPDATE answers SET cost_usd = noted.cost FROM noted WHERE call_id = noted.id",
    is_note=True,
)
_EXCHANGE = {
    "exchange_id": TEXT, "call_id": TEXT, "job_id": TEXT, "document_id": TEXT, "reason": TEXT, "prompt_tokens": WHOLE,
    "completion_tokens": WHOLE, "worst_usd": REAL, "cost_usd": REAL, "attempts": WHOLE, "latency_ms": WHOLE,
    "served_by": TEXT, "created_at": REAL,
}  # fmt: skip
EXCHANGE = _upsert("exchanges", _EXCHANGE, ["created_at"], is_note=True)
ASSIGN = _upsert(
    "documents",
    {"document_id": TEXT, "job_id": TEXT, "work": TEXT, "status": TEXT, "part": WHOLE},
    ("job_id", "status"),
    # What another job paid for the document doesn't count for this one.
    *("calls = 0", "reused_calls = 0", "prompt_tokens = 0", "completion_tokens = 0", "cost_usd = NULL"),
)
_OUTCOME = {
    "job_id": TEXT, "work": TEXT, "content_sha256": TEXT, "status": TEXT, "calls": WHOLE, "reused_calls": WHOLE,
    "prompt_tokens": WHOLE, "completion_tokens": WHOLE, "cost_usd": REAL,
}  # fmt: skip
FINISH = _upsert("documents", {"document_id": TEXT, "part": WHOLE, **_OUTCOME}, _OUTCOME)
_OWNED = {"text_id": TEXT, "job_id": TEXT, "document_id": TEXT, "call_id": TEXT, "place": WHOLE}
OWN = _upsert("texts", _OWNED, list(_OWNED)[1:])
PLACED = _upsert("texts", _OWNED, ("call_id", "place"), is_note=True)

FORGET = Many(
    "WITH gone (name) AS (",
    (TEXT,),
    query(") DELETE FROM documents WHERE {document_key} IN (SELECT {name_key} FROM gone)"),
)

SEEN = query("SELECT document_id, job_id, work, content_sha256, status, part FROM documents WHERE {document_among}")
OWNED = query("SELECT text_id, job_id, document_id, call_id, place FROM texts WHERE text_id {values}")
HOMES = "SELECT document_id, part FROM documents"
PARTS = query(
    "SELECT part, count(*), sum(calls), count(*) FILTER (WHERE status IN ('failed', 'partial')) "
    "FROM documents WHERE status != {value} GROUP BY part ORDER BY part"
)
SPENT = query(
    "SELECT (SELECT coalesce(sum(coalesce(cost_usd, worst_usd)), 0) FROM answers WHERE job_id = {value}) + "
    "(SELECT coalesce(sum(coalesce(cost_usd, worst_usd)), 0) FROM exchanges WHERE job_id = {value})"
)
PAID = query(
    "SELECT (SELECT coalesce(sum(cost_usd), 0) FROM answers WHERE job_id = {value}) + "
    "(SELECT coalesce(sum(cost_usd), 0) FROM exchanges WHERE job_id = {value})"
)
LOST = query("SELECT count(*), sum(worst_usd) FROM exchanges WHERE job_id = {value} AND prompt_tokens IS NULL")
EXCHANGES = query(
    "SELECT call_id, document_id, reason, prompt_tokens, completion_tokens, cost_usd, worst_usd, attempts, "
    "latency_ms, served_by, created_at FROM exchanges "
    "WHERE job_id = {value} AND prompt_tokens IS NOT NULL"
)
SUMS = query(
    "SELECT status, count(*), sum(calls), sum(reused_calls), sum(prompt_tokens), sum(completion_tokens), "
    "sum(cost_usd), count(*) FILTER (WHERE cost_usd IS NOT NULL OR calls = 0) "
    "FROM documents WHERE job_id = {value} GROUP BY status"
)
CALL_IDS = query("SELECT call_id FROM answers {by_call_ids}")
ANSWER_TO = query(
    "SELECT body, checksum, call_id, job_id, document_id, status, attempts, latency_ms, created_at "
    "FROM answers WHERE call_id = {value}"
)
BEGIN = query(
    "INSERT INTO jobs (job_id, work, status, started_at) "
    "VALUES ({value}, {value}, 'running', {value}) "
    "ON CONFLICT (job_id) DO UPDATE SET status = 'running'"
)
BEGAN = query("SELECT started_at FROM jobs WHERE job_id = {value}")
END = query("UPDATE jobs SET status = {value} WHERE job_id = {value}")
REOPEN = query("UPDATE documents SET status = {value} WHERE part = {value}")
LAST_PART = "SELECT max(part) FROM documents"
LAST_JOB = "SELECT job_id, work, status FROM jobs ORDER BY rowid DESC LIMIT 1"
JOBS = "SELECT count(*) FROM jobs"
NOTHING = "SELECT 1"
