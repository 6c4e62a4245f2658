"""Routes as a comparison measures them, made up."""

from collections.abc import Mapping
from typing import Any

from tasks.comparison.comparison_records import Bound, Compared, Measured, Projected, Terms


def compared(
    name: str,
    cost: float | None,
    seconds: float | None,
    *,
    done: int = 10,
    bound: Bound | None = "latency",
    failures: Mapping[str, int] | None = None,
    **measured: Any,
) -> Compared:
    """Return a route over a sample of 10 of 1,000 documents that would cost and take so much."""
    share = None if cost is None else cost / 100
    got = Measured(10, done, failed=10 - done, calls=10, cost_usd=share, failures=failures or {}, **measured)
    return Compared(Terms(name, "p", name, 8192), got, Projected(1000, 1000, cost, seconds, bound if seconds else None))
