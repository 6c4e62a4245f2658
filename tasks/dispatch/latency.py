"""What a route's answers are like: how long they take, and how many of the tokens counted here it counts."""

import bisect
import math
from collections import deque

REMEMBERED = 400
CALIBRATED_BY = 30
ENOUGH = 50
SLOW_SHARE = 0.97
# A deadline learned from the answers so far: this multiple of the slowest, plus some seconds.
SLOWEST_TIMES, SPARE_SECONDS = 10.0, 30.0


class LatencyWindow:
    """The latest latencies, in seconds."""

    def __init__(self) -> None:
        self._latest: deque[float] = deque()
        self._sorted: list[float] = []
        self._slowest = 0.0
        self._count = 0

    def add(self, seconds: float) -> None:
        """Count one answer."""
        self._count += 1
        self._slowest = max(self._slowest, seconds)
        self._latest.append(seconds)
        bisect.insort(self._sorted, seconds)
        if len(self._latest) > REMEMBERED:
            del self._sorted[bisect.bisect_left(self._sorted, self._latest.popleft())]

    def deadline(self, most: float) -> float:
        """Return how long to wait for an answer: `most`, or less where all others came much sooner."""
        if self._count < ENOUGH:
            return most
        return min(most, SLOWEST_TIMES * self._slowest + SPARE_SECONDS)

    def slow(self) -> float | None:
        """Return the latency that three of a hundred calls exceed; None while too few are known."""
        if self._count < ENOUGH:
            return None
        return self._sorted[min(len(self._sorted) - 1, int(len(self._sorted) * SLOW_SHARE))]


class Calibration:
    """The recent ratio of the provider's count of a prompt's tokens to ours.

    If its tokenizer isn't known, our count is an upper bound that may be five times too
    high, and reserving it would leave most of a limit unused.
    """

    def __init__(self) -> None:
        self._shares: deque[float] = deque(maxlen=CALIBRATED_BY)

    def add(self, counted: int, told: int) -> None:
        """Count one answer: our count of its prompt, and the provider's."""
        if counted > 0:
            self._shares.append(told / counted)

    def prompt(self, counted: int) -> int:
        """Return the tokens to reserve for a prompt.

        A tenth more than the highest recent ratio gives, up to our count; if the provider
        counts more than we do, what it counts.
        """
        if not self._shares:
            return counted
        dearest = max(self._shares)
        if dearest <= 1.0 and len(self._shares) < CALIBRATED_BY:
            return counted
        return math.ceil(counted * max(dearest, min(1.0, 1.1 * dearest)))
