"""Learn a limit that nobody declares from the refusals it leads to.

Additive increase, multiplicative decrease is what congestion control settles on
(Chiu and Jain, 1989); providers differ in how they count (a sliding minute, a
fixed one, a bucket), so three observations steer it:

* A run of refusals means that the limit is full. What was accepted in the last
  minute is then the limit of a minute, and the pace becomes a little less. Before
  a minute has passed that may be far too low, so the pace grows fast until the
  next refusal.
* A few refusals among many answers cost little: the pace hardly grows any more.
  It is lowered by the share that was refused, once that is more than chance.
* Without refusals the pace is held for HOLD seconds, then grows by a tenth a
  second: a limit that doubled is found within 20 seconds.

A Retry-After only says when to ask next; how long it is never lowers the pace, so a
long one doesn't freeze the route. After a pause that ended in another refusal one
call goes first and the others follow once it wasn't refused.
"""

import math
from collections import deque
from dataclasses import dataclass, field

HOLD_SECONDS = 12.0
GROWTH = 1.09
FAST_GROWTH = 1.5
MEMORY_SECONDS = 60.0
# FULL refusals in a row mean that the limit is full, not that one call was unlucky. Answers to calls
# that were sent later end the row once they are more than BETWEEN times the refusals.
FULL, BETWEEN = 4, 2
LATEST, ENOUGH, SHARE = 70, 50, 0.13
# A share of refusals up to CHANCE may be chance, which no pace prevents: each answer still raises the pace a little.
CHANCE, LITTLE = 0.05, 0.0004
LEAST_PACE = 0.5
SLOT_SECONDS = 0.5
RECENT_SECONDS = 5.0
PROBE_SECONDS, PROBING_SECONDS = 0.25, 1.0
FIRST_WAIT, DRY_WAIT = 0.1, 4.0
LONGEST_CATCH_UP = 2.0


@dataclass(slots=True)
class AdaptiveRate:
    """A pace in requests a second, learned from refusals; none until the first run of them.

    Times are the caller's clock, in seconds. `catch_up` is the share of a pause that
    may be made up for after it: a provider whose bucket is small doesn't allow it.
    """

    pace: float | None = None
    catch_up: float = 0.8
    lowered: int = 0  # how often
    _grows_from: float = 0.0
    _fast: bool = False
    _first: float | None = None
    _cut: float = -1.0
    _event: float = -1.0
    _until: float = -1.0
    _paused: float = 0.0
    _dry: int = 0
    _run: int = 0
    _run_from: float = 0.0
    _between: int = 0
    _accepted_since_cut: int = 0
    _accepted_since_event: int = 0
    _next: float = 0.0
    _latest: deque[bool] = field(default_factory=lambda: deque(maxlen=LATEST))
    _accepted: deque[list[float]] = field(default_factory=deque)

    def pace_at(self, now: float) -> float | None:
        """Return the pace as it has grown since the last refusal."""
        if self.pace is None:
            return None
        since = now - self._grows_from
        if self._fast:
            return self.pace * math.pow(FAST_GROWTH, max(0.0, min(since, 30.0)))
        return self.pace * math.pow(GROWTH, max(0.0, min(since - HOLD_SECONDS, 60.0)))

    def delay(self, now: float) -> float:
        """Return the seconds until the next call may go."""
        return max(0.0, self._next - now)

    def take(self, now: float) -> None:
        """Count a call that goes now."""
        if self._first is None:
            self._first = now
        pace = self.pace_at(now)
        if pace is not None:
            made_up = self.catch_up * self._paused if now - self._until < 3 and not self._dry else 0.0
            self._next = max(self._next, now - max(0.1, made_up)) + 1 / pace
        if self._dry and now < self._until + PROBING_SECONDS:
            self._next = max(self._next, now + PROBE_SECONDS)

    def accepted(self, sent: float, now: float) -> None:
        """Learn from a call sent at `sent` that wasn't refused."""
        slot = sent - sent % SLOT_SECONDS
        if self._accepted and self._accepted[-1][0] >= slot:
            self._accepted[-1][1] += 1
        else:
            self._accepted.append([slot, 1.0])
            self._forget(now)
        if sent > self._event:
            self._dry = self._run = 0
            self._accepted_since_event += 1
        if self._run and sent > self._run_from:
            self._between += 1
            if self._between > BETWEEN * self._run:
                self._run = 0
        if sent > self._cut:
            self._accepted_since_cut += 1
            self._latest.append(False)
            if self.pace is not None and not self._fast and len(self._latest) >= ENOUGH and self._share <= CHANCE:
                self.pace *= 1 + LITTLE

    def refused(self, sent: float, now: float, retry_after: float | None, jitter: float) -> float:
        """Learn from a refused call; return the seconds for which all callers are to wait.

        A call sent before the last cut tells nothing new: 0.
        """
        if sent <= self._cut:
            return 0.0
        self._latest.append(True)
        if not self._run:
            self._run_from, self._between = sent, 0
        self._run += 1
        pace = self.pace_at(now)
        wait = self._event_at(now, retry_after, jitter) if sent > self._event else 0.0
        if pace is not None:
            # The pace stops growing, but keeps what it has gained so far.
            self.pace, self._grows_from = pace, max(self._grows_from, now + wait)
        share = self._share
        full = self._run >= FULL
        saturated = full or (len(self._latest) >= ENOUGH and share > SHARE)
        if saturated and (self._accepted_since_cut or pace is None):
            self._lower(pace, now, share, full=full)
            self._grows_from = max(self._grows_from, now + wait)
        return wait

    def _event_at(self, now: float, retry_after: float | None, jitter: float) -> float:
        """Return how long to wait: what was asked for, and longer while waiting doesn't help."""
        helped = self._accepted_since_event or now - self._until > PROBING_SECONDS
        self._dry = 0 if self._event < 0 or helped else self._dry + 1
        if self._accepted_since_event < 5:
            self.catch_up /= 2
        elif self._accepted_since_event > 100:
            self.catch_up = min(0.8, self.catch_up + 0.1)
        self._accepted_since_event = 0
        if retry_after is not None:
            wait = max(retry_after, min(3.0, retry_after * 1.5**self._dry))
        elif self._run == 1 and not self._dry:
            wait = FIRST_WAIT
        else:
            wait = min(DRY_WAIT, 0.5 * 2.0**self._dry) * (0.5 + jitter / 2)
        self._event, self._until, self._paused = now, now + wait, min(wait, LONGEST_CATCH_UP)
        return wait

    def _lower(self, pace: float | None, now: float, share: float, *, full: bool) -> None:
        lived = now - (self._first if self._first is not None else now)
        whole = lived >= 0.9 * MEMORY_SECONDS
        minute = self._rate(now, MEMORY_SECONDS)
        recent = self._rate(now, min(RECENT_SECONDS, max(lived, SLOT_SECONDS)))
        if pace is None:
            self.pace = max(minute if full else (1 - share) * recent, LEAST_PACE)
            self._fast = full and not whole
        elif self._fast:
            self._fast = False
            self.pace = 0.985 * minute if whole else max(0.6 * pace, minute)
        elif full and whole:
            self.pace = max(min(0.9 * pace, 0.985 * minute), 0.5 * pace)
        else:
            self.pace = pace * (1 - min(0.5, share))
            if full:
                # The first pace may be many times too much: what was accepted of late is nearer.
                self.pace = min(self.pace, max(recent, pace / 4))
        self.pace = max(self.pace, LEAST_PACE / 10)
        self.lowered += 1
        self._cut, self._accepted_since_cut, self._run = now, 0, 0
        self._latest.clear()

    @property
    def _share(self) -> float:
        return sum(self._latest) / len(self._latest)

    def _rate(self, now: float, seconds: float) -> float:
        """Return the calls per second that were accepted in the last `seconds` seconds."""
        return sum(count for at, count in self._accepted if at > now - seconds - SLOT_SECONDS) / seconds

    def _forget(self, now: float) -> None:
        while self._accepted and self._accepted[0][0] < now - MEMORY_SECONDS - 2 * SLOT_SECONDS:
            self._accepted.popleft()
