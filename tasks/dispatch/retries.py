"""Whether to ask again and how long to wait: one pure function.

Full jitter (AWS Architecture Blog, "Exponential Backoff and Jitter", 2015): a
uniform wait under an exponential ceiling spreads the callers best.
"""

from dataclasses import dataclass

from tasks.errors import CallFailed, Transient

# Reasons that speak of the whole route, not of this one call.
ROUTE_WIDE = frozenset(
    {"connect", "timeout", "connection", "not_json", "http_429", "http_502", "http_503", "http_504", "http_529"}
)
RATE_LIMITED = frozenset({"http_429", "http_503", "http_529"})


@dataclass(frozen=True, slots=True)
class Policy:
    """How often to ask and how long to wait, in seconds."""

    attempts: int = 6
    base: float = 0.5
    ceiling: float = 30.0
    longest_retry_after: float = 300.0


def wait_before_retry(error: CallFailed, attempt: int, luck: float, policy: Policy) -> float | None:
    """Return the seconds to wait after the failed `attempt` (from 1), or None to give up.

    `luck` is uniform in [0, 1). A server's Retry-After is a floor, with some
    jitter on top so that not all come back at once.
    """
    if not isinstance(error, Transient) or attempt >= policy.attempts:
        return None
    backoff = luck * min(policy.ceiling, policy.base * 2.0 ** (attempt - 1))
    if error.retry_after is None:
        return backoff
    return min(error.retry_after, policy.longest_retry_after) + backoff
