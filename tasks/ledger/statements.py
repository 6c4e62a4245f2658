"""The statements that write many rows at once."""

from tasks.ledger.store import Many

ANSWER = Many(
    "INSERT OR REPLACE INTO answers (call_id, job_id, document_id, provider, model, status, body, attempts, "
    "latency_ms, worst_usd, created_at, checksum) VALUES",
    12,
)
COST = Many(
    "WITH noted (cost, id) AS (VALUES",
    2,
    ") UPDATE answers SET cost_usd = noted.cost FROM noted WHERE call_id = noted.id",
    is_note=True,
)
ASSIGN = Many(
    "INSERT INTO documents (document_id, job_id, work, status, part) VALUES",
    5,
    "ON CONFLICT (document_id) DO UPDATE SET job_id = excluded.job_id, status = excluded.status",
)
_OUTCOME = (
    "job_id", "work", "content_sha256", "status", "calls", "reused_calls",
    "prompt_tokens", "completion_tokens", "cost_usd",
)  # fmt: skip
FINISH = Many(
    f"INSERT INTO documents (document_id, part, {', '.join(_OUTCOME)}) VALUES",
    2 + len(_OUTCOME),
    f"ON CONFLICT (document_id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _OUTCOME)}",
)
OWN = Many(
    "INSERT INTO texts (text_id, job_id, document_id) VALUES",
    3,
    "ON CONFLICT (text_id) DO UPDATE SET job_id = excluded.job_id, document_id = excluded.document_id, "
    "call_id = NULL, place = NULL",
)
PLACED = Many(
    "INSERT INTO texts (text_id, job_id, document_id, call_id, place) VALUES",
    5,
    "ON CONFLICT (text_id) DO UPDATE SET call_id = excluded.call_id, place = excluded.place",
    is_note=True,
)
