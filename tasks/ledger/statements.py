"""The ledger's statements, as SQLite takes them; `dialect` says them to PostgreSQL."""

from collections.abc import Iterable

from tasks.ledger.store import Many

TEXT, WHOLE, REAL, BYTES = "text", "int8", "float8", "bytea"


def _upsert(table: str, columns: dict[str, str], update: Iterable[str], *also: str, is_note: bool = False) -> Many:
    """Insert rows; of one that is there (by its first column), put the columns to `update` in place of its own."""
    changes = ", ".join([*(f"{name} = excluded.{name}" for name in update), *also])
    head, tail = f"INSERT INTO {table} ({', '.join(columns)})", f"ON CONFLICT ({next(iter(columns))}) DO UPDATE SET"
    return Many(head, tuple(columns.values()), f"{tail} {changes}", is_note)


_ANSWER = {
    "call_id": TEXT, "job_id": TEXT, "document_id": TEXT, "provider": TEXT, "model": TEXT, "status": WHOLE,
    "body": BYTES, "attempts": WHOLE, "latency_ms": WHOLE, "worst_usd": REAL, "created_at": REAL, "checksum": WHOLE,
}  # fmt: skip
# Paid anew, it is of unknown cost again.
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
    # What another job paid for it is none of this one's.
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

FORGET = Many("WITH gone (name) AS (", (TEXT,), ") DELETE FROM documents WHERE document_id IN (SELECT name FROM gone)")

# SQLite reads one list of many names from JSON.
SEEN = (
    "SELECT document_id, job_id, work, content_sha256, status, part FROM documents "
    "WHERE document_id IN (SELECT value FROM json_each(?))"
)
OWNED = (
    "SELECT text_id, job_id, document_id, call_id, place FROM texts WHERE text_id IN (SELECT value FROM json_each(?))"
)
HOMES = "SELECT document_id, part FROM documents"
PARTS = (
    "SELECT part, count(*), sum(calls), count(*) FILTER (WHERE status IN ('failed', 'partial')) "
    "FROM documents WHERE status != ? GROUP BY part ORDER BY part"
)
SPENT = (
    "SELECT (SELECT coalesce(sum(coalesce(cost_usd, worst_usd)), 0) FROM answers WHERE job_id = ?) + "
    "(SELECT coalesce(sum(coalesce(cost_usd, worst_usd)), 0) FROM exchanges WHERE job_id = ?)"
)
PAID = (
    "SELECT (SELECT coalesce(sum(cost_usd), 0) FROM answers WHERE job_id = ?) + "
    "(SELECT coalesce(sum(cost_usd), 0) FROM exchanges WHERE job_id = ?)"
)
LOST = "SELECT count(*), sum(worst_usd) FROM exchanges WHERE job_id = ? AND prompt_tokens IS NULL"
EXCHANGES = (
    "SELECT call_id, document_id, reason, prompt_tokens, completion_tokens, cost_usd, worst_usd, attempts, latency_ms, "
    "served_by, created_at FROM exchanges WHERE job_id = ? AND prompt_tokens IS NOT NULL"
)
SUMS = (
    "SELECT status, count(*), sum(calls), sum(reused_calls), sum(prompt_tokens), sum(completion_tokens), "
    "sum(cost_usd), count(*) FILTER (WHERE cost_usd IS NOT NULL OR calls = 0) "
    "FROM documents WHERE job_id = ? GROUP BY status"
)
CALL_IDS = "SELECT call_id FROM answers INDEXED BY call_ids"
BEGIN = (
    "INSERT INTO jobs (job_id, work, status, started_at) VALUES (?, ?, 'running', ?) "
    "ON CONFLICT (job_id) DO UPDATE SET status = 'running'"
)
