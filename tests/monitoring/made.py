"""Events made up for the tests of the history."""

from datetime import UTC, datetime
from typing import Any

from tasks.monitoring.health_records import HealthEvent

NOW = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
GOOD = HealthEvent(
    NOW, "probe", "p", "m", "chat", 200, 50, 10, True, None, None, 50.0, 100.0, 100.0, 0.001, 1.0, 2.0, 8192
)  # fmt: skip


def event(**changed: Any) -> HealthEvent:
    """Return an answered probe with some of its columns changed; `error` makes it a failed one."""
    kind = changed.pop("error", None)
    failed = {"ok": False, "error_kind": kind, "latency_ms": None, "first_token_ms": None} if kind else {}
    return GOOD._replace(**failed, **changed)
