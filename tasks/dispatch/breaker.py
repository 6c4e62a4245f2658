"""A circuit breaker for one route (Nygard, "Release It!", 2007).

It opens on a run of failures of different calls, lets one call through now and
then to probe, and closes with the first answer. So a route that is down costs a
call every half minute, not every document its retries.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

# How many different calls have to fail in a row, with no answer in between.
RUN = 12
FIRST_SECONDS, LONGEST_SECONDS = 1.0, 30.0
# The smoothing factor of the share of failing calls: it covers about the last fifty calls.
FOLLOWS = 0.02


@dataclass(slots=True)
class Breaker:
    """The breaker of one route; times are the caller's clock, in seconds. `turned` is called when `is_open` changes."""

    turned: Callable[[bool], None] = lambda _: None
    answered: int = 0
    answered_at: float = -1.0
    # The share of calls that failed at their first attempt.
    failing_share: float = 0.05
    last_error: str = ""
    _failing: set[str] = field(default_factory=set)
    _open_until: float | None = None
    _seconds: float = FIRST_SECONDS
    _prober: str | None = None
    _probe: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether calls are held back."""
        return self._open_until is not None

    def admits(self, document_id: str, now: float, call_id: str | None = None) -> bool:
        """Whether a document may call; while it is open, one at a time may, with one call, to probe."""
        if self._open_until is None:
            return True
        if self._prober is None and now >= self._open_until:
            self._prober, self._probe = document_id, None
        if self._prober != document_id:
            return False
        if call_id is not None and self._probe is None:
            self._probe = call_id
        return call_id is None or self._probe == call_id

    def release(self, document_id: str) -> None:
        """Let another document probe: this one has ended without doing so."""
        if self._prober == document_id:
            self._prober = None

    def succeeded(self, now: float, *, first: bool) -> None:
        """Count an answer: it closes the breaker."""
        self.answered += 1
        self.answered_at = now
        self._note(first=first, failed=False)
        self.alive()

    def alive(self) -> None:
        """Close the breaker: the server answers, even if it refuses this one call."""
        self._failing.clear()
        was_open = self.is_open
        self._open_until, self._prober, self._probe, self._seconds = None, None, None, FIRST_SECONDS
        if was_open:
            self.turned(False)

    def failed(self, call_id: str, document_id: str, error: str, now: float, *, first: bool) -> None:
        """Count a failure that may concern the whole route."""
        self.last_error = error
        self._note(first=first, failed=True)
        self._failing.add(call_id)
        if self._prober == document_id and self._probe in (None, call_id):
            self._prober = None
            self.trip(now)
        elif self._open_until is None and len(self._failing) >= RUN:
            self.trip(now)

    def trip(self, now: float) -> None:
        """Open it, for longer each time."""
        was_open = self.is_open
        self._open_until = now + self._seconds
        self._seconds = min(LONGEST_SECONDS, self._seconds * 2)
        if not was_open:
            self.turned(True)

    def _note(self, *, first: bool, failed: bool) -> None:
        if first:
            self.failing_share += FOLLOWS * (failed - self.failing_share)
