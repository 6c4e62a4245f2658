"""Whether to ask again and how long to wait: one pure function.

Full jitter (AWS Architecture Blog, "Exponential Backoff and Jitter", 2015): a
uniform wait under an exponential ceiling spreads the callers best.
"""

import math
from dataclasses import dataclass

from tasks.base.errors import CallFailed, Transient

# Refusals of the route, not of this one call: they pause all callers.
RATE_LIMITED = frozenset({"http_429"})
# The server is busy: it may say how long, and then all callers wait.
BUSY = frozenset({"http_503", "http_529"})
# No server was reached, or it reports trouble itself: the route is down.
DOWN = BUSY | {"connect", "http_429", "http_502", "http_504"}
# The route may be down, or this call may be more than it can handle.
DOUBTFUL = frozenset({"timeout", "connection", "not_json", "http_520", "http_522", "http_524"})
# Errors that, when many calls meet them, may concern the whole route.
ROUTE_WIDE = DOWN | DOUBTFUL | {"http_500"}
# A call that is refused as often as this while others are answered is too large for the route.
MOST_REFUSALS = 60


@dataclass(frozen=True, slots=True)
class Policy:
    """How often to ask and how long to wait, in seconds.

    A call is given up once it is less likely than `by_chance` that so many failures
    in a row are chance, given how often the route fails other calls; within `least`
    and `most` attempts.
    """

    least: int = 6
    least_timeouts: int = 3
    most: int = 30
    by_chance: float = 2e-8
    base: float = 0.5
    ceiling: float = 8.0
    longest_retry_after: float = 300.0

    def attempts(self, reason: str, failing: float) -> int:
        """Return the attempts of a call, where the share `failing` of the route's calls fails at first."""
        least = self.least_timeouts if reason == "timeout" else self.least
        share = min(max(failing, 0.01), 0.9)
        return min(self.most, max(least, int(math.log(self.by_chance) / math.log(share))))


def wait_before_retry(error: CallFailed, tries: int, failing: float, jitter: float, policy: Policy) -> float | None:
    """Return the seconds to wait after the failed attempt number `tries` (from 1), or None to give up.

    `failing` is the share of the route's calls that fail at first, `jitter` is uniform
    in [0, 1). A server's Retry-After is a floor, with some jitter on top so that not
    all come back at once.
    """
    most = MOST_REFUSALS if error.reason in RATE_LIMITED else policy.attempts(error.reason, failing)
    if not isinstance(error, Transient) or tries >= most:
        return None
    backoff = jitter * min(policy.ceiling, policy.base * 2.0 ** min(tries - 1, 10))
    if error.retry_after is None:
        return backoff
    return min(error.retry_after, policy.longest_retry_after) + backoff
