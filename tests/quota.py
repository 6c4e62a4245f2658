"""What a provider's rate limits look like from inside. Pure: time is an argument.

`Quota.take` books a request or says how long it must wait; `Quota.headers` says what is
left in the spelling of one provider or another.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, Literal, NamedTuple

Unit = Literal["requests", "tokens", "input", "output"]
Kind = Literal["sliding", "fixed", "bucket"]
RetryAfter = Literal["exact", "date", "none"] | float
Headers = dict[str, str]

# What a rounding error may cost: far less than a request or a token.
TINY = 1e-6
# How much too large together's plain limits are while its dynamic ones are true.
STALE = 2.0


@dataclass(frozen=True)
class Allowance:
    """So many units a period: of the last `period` seconds, of a fixed window, or from a bucket."""

    unit: Unit
    amount: float
    period: float = 60.0
    kind: Kind = "sliding"
    burst: float | None = None
    settled: bool = False


@dataclass(slots=True)
class Entry:
    """What one request took, and when; `open` until it is settled."""

    at: float
    amount: float
    open: bool


class Log:
    """A sliding or fixed allowance: all that was taken and still counts."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self._entries: deque[Entry] = deque()
        self._open: dict[float, deque[Entry]] = {}
        self._used = 0.0

    def wait(self, now: float, cost: float) -> float:
        self._expire(now)
        over = self._used + cost - self.allowance.amount
        if over <= 0:
            return 0.0
        for entry in self._entries:
            over -= entry.amount
            if over <= 0:
                return _until(self._due(entry.at), now)
        return math.inf

    def book(self, now: float, cost: float) -> None:
        entry = Entry(now, cost, self.allowance.settled)
        self._entries.append(entry)
        self._used += cost
        if entry.open:
            self._open.setdefault(cost, deque()).append(entry)

    def settle(self, now: float, cost: float, used: float) -> None:
        """Correct the oldest request of this cost: it is the one that counts for the shortest time."""
        self._expire(now)
        if cost in self._open:
            entry = self._close(cost)
            entry.amount = used
            self._used += used - cost

    def remaining(self, now: float) -> float:
        self._expire(now)
        return max(0.0, self.allowance.amount - self._used)

    def reset(self, now: float) -> float:
        self._expire(now)
        return self._due(self._entries[-1].at) - now if self._entries else 0.0

    def _due(self, at: float) -> float:
        """When that which was taken at `at` no longer counts."""
        period = self.allowance.period
        if self.allowance.kind == "sliding":
            return at + period
        turn = (int(at / period) + 1) * period
        return turn if turn > at else turn + period

    def _expire(self, now: float) -> None:
        while self._entries and self._due(self._entries[0].at) <= now:
            entry = self._entries.popleft()
            self._used = self._used - entry.amount if self._entries else 0.0
            if entry.open:
                self._close(entry.amount)

    def _close(self, cost: float) -> Entry:
        entry = self._open[cost].popleft()
        entry.open = False
        if not self._open[cost]:
            del self._open[cost]
        return entry


class Bucket:
    """An allowance that refills continuously."""

    def __init__(self, allowance: Allowance, now: float) -> None:
        self.allowance = allowance
        self._level, self._at = self._capacity, now

    @property
    def _capacity(self) -> float:
        return self.allowance.amount if self.allowance.burst is None else self.allowance.burst

    @property
    def _rate(self) -> float:
        return self.allowance.amount / self.allowance.period

    def wait(self, now: float, cost: float) -> float:
        lacking = cost - self.remaining(now)
        if lacking <= TINY:
            return 0.0
        return lacking / self._rate if cost <= self._capacity and self._rate else math.inf

    def book(self, now: float, cost: float) -> None:
        self._level = max(0.0, self.remaining(now) - cost)

    def settle(self, now: float, cost: float, used: float) -> None:
        self._level = min(self._capacity, self.remaining(now) + cost - used)

    def remaining(self, now: float) -> float:
        self._level = min(self._capacity, self._level + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)
        return self._level

    def reset(self, now: float) -> float:
        lacking = self._capacity - self.remaining(now)
        return lacking / self._rate if self._rate else 0.0


Meter = Log | Bucket


class Quota:
    """All allowances of one account; a request is granted by all of them or books nothing."""

    def __init__(
        self,
        allowances: Iterable[Allowance],
        spelling: str | None = None,
        retry_after: RetryAfter = 1.0,
        start: float = 0.0,
    ) -> None:
        if spelling is not None and spelling not in SPELLINGS:
            raise ValueError(f"no spelling {spelling!r}: {', '.join(SPELLINGS)}")
        self.spelling, self.retry_after = spelling, retry_after
        self._meters: list[Meter] = []
        self._now = start
        self.allowances = tuple(allowances)

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        """What is granted; what was taken is kept through a change where unit and kind agree."""
        return tuple(meter.allowance for meter in self._meters)

    @allowances.setter
    def allowances(self, allowances: Iterable[Allowance]) -> None:
        old, self._meters = self._meters, []
        for allowance in allowances:
            key = (allowance.unit, allowance.kind)
            same = next((one for one in old if (one.allowance.unit, one.allowance.kind) == key), None)
            if same is None:
                self._meters.append(Bucket(allowance, self._now) if allowance.kind == "bucket" else Log(allowance))
            else:
                same.remaining(self._now)  # a bucket fills at its old rate until now
                same.allowance = allowance
                old.remove(same)
                self._meters.append(same)

    def take(self, now: float, prompt_tokens: int, max_tokens: int) -> float | None:
        """Book a request (then None), or return the seconds until it would be granted.

        Infinite where it never would be.
        """
        self._now = now
        asked = [(meter, _cost(meter.allowance.unit, prompt_tokens, max_tokens)) for meter in self._meters]
        wait = max((meter.wait(now, cost) for meter, cost in asked), default=0.0)
        if wait > 0:
            return wait
        for meter, cost in asked:
            meter.book(now, cost)
        return None

    def settle(self, now: float, prompt_tokens: int, max_tokens: int, completion_tokens: int) -> None:
        """Give back what was reserved for the answer and not written, where the allowance does so."""
        self._now = now
        for meter in self._meters:
            if meter.allowance.settled:
                unit = meter.allowance.unit
                cost, used = _cost(unit, prompt_tokens, max_tokens), _cost(unit, prompt_tokens, completion_tokens)
                meter.settle(now, cost, used)

    def headers(self, now: float, refused_wait: float | None, wall: float | None = None) -> Headers:
        """What an answer (or a refusal, with its wait) says; `wall` is the Unix time where `now` isn't."""
        wall = now if wall is None else wall
        found = self._retry_after(refused_wait, wall) if refused_wait is not None else {}
        if self.spelling is None or (self.spelling == "openrouter" and refused_wait is None):
            return found
        return SPELLINGS[self.spelling](self._readings(now), wall) | found

    def _retry_after(self, wait: float, wall: float) -> Headers:
        if self.retry_after == "none" or math.isinf(wait):
            return {}
        if self.retry_after == "date":
            return {"Retry-After": formatdate(math.ceil(wall + wait), usegmt=True)}
        seconds = math.ceil(wait) if self.retry_after == "exact" else float(self.retry_after)
        return {"Retry-After": _number(seconds)}

    def _readings(self, now: float) -> "dict[str, Reading]":
        """The first allowance of each unit: providers tell of one."""
        found: dict[str, Reading] = {}
        for meter in self._meters:
            allowance = meter.allowance
            if allowance.unit not in found:
                left = math.floor(meter.remaining(now) + TINY)
                found[allowance.unit] = Reading(allowance.amount, left, meter.reset(now), allowance.period)
        return found


def from_json(given: Mapping[str, Any], start: float) -> Quota:
    """Return the quota that a JSON object describes by the names of `Quota` and `Allowance`."""
    allowances = [Allowance(**allowance) for allowance in given["allowances"]]
    return Quota(allowances, start=start, **{name: value for name, value in given.items() if name != "allowances"})


def _cost(unit: Unit, prompt_tokens: int, answer_tokens: int) -> float:
    match unit:
        case "requests":
            return 1
        case "tokens":
            return prompt_tokens + answer_tokens
        case "input":
            return prompt_tokens
        case "output":
            return answer_tokens


def _until(due: float, now: float) -> float:
    """The seconds from now to `due`, never too few by a rounding."""
    wait = due - now
    while now + wait < due:
        wait = math.nextafter(wait, math.inf)
    return wait


class Reading(NamedTuple):
    """An allowance as headers tell it; `reset` is in how many seconds all of it is there again."""

    limit: float
    remaining: float
    reset: float
    period: float

    def per(self, seconds: float) -> "Reading":
        """The same for another period; what remains is 0 only where nothing does."""
        share = seconds / self.period
        return Reading(self.limit * share, math.ceil(self.remaining * share), self.reset, seconds)

    @property
    def whole_reset(self) -> str:
        return str(math.ceil(self.reset))


Readings = Mapping[str, Reading]


def _openai(readings: Readings, wall: float) -> Headers:
    found = {}
    for unit in ("requests", "tokens"):
        if one := readings.get(unit):
            found[f"x-ratelimit-limit-{unit}"] = _number(one.limit)
            found[f"x-ratelimit-remaining-{unit}"] = _number(one.remaining)
            found[f"x-ratelimit-reset-{unit}"] = duration(one.reset)
    return found


def _mistral(readings: Readings, wall: float) -> Headers:
    found = {}
    for unit, name in (("requests", "req"), ("tokens", "tokens")):
        if unit in readings:
            one = readings[unit].per(60)
            found[f"x-ratelimit-limit-{name}-minute"] = _number(one.limit)
            found[f"x-ratelimit-remaining-{name}-minute"] = _number(one.remaining)
    return found


def _mistral_old(readings: Readings, wall: float) -> Headers:
    if "tokens" not in readings:
        return {}
    one = readings["tokens"].per(60)
    limit, remaining = _number(one.limit), _number(one.remaining)
    return {
        "x-ratelimitbysize-limit-minute": limit,
        "x-ratelimitbysize-remaining-minute": remaining,
        "ratelimitbysize-limit": limit,
        "ratelimitbysize-remaining": remaining,
        "ratelimitbysize-reset": one.whole_reset,
    }


def _together(readings: Readings, wall: float) -> Headers:
    found = {}
    for unit, name in (("requests", "ratelimit"), ("tokens", "tokenlimit")):
        if unit in readings:
            one = readings[unit].per(1)
            found[f"x-{name}-limit"] = _number(one.limit)
            found[f"x-{name}-remaining"] = _number(one.remaining)
            if unit == "requests":
                found[f"x-{name}-reset"] = one.whole_reset
    return found


def _together_dynamic(readings: Readings, wall: float) -> Headers:
    true = _together(readings, wall)
    limits = [name for name in true if name.endswith("-limit")]
    stale = {name: _number(float(true[name]) * STALE) for name in limits}
    return true | stale | {f"{name}-dynamic": true[name] for name in limits}


def _openrouter(readings: Readings, wall: float) -> Headers:
    if (one := _main(readings)) is None:
        return {}
    return {
        "X-RateLimit-Limit": _number(one.limit),
        "X-RateLimit-Remaining": _number(one.remaining),
        "X-RateLimit-Reset": str(math.ceil((wall + one.reset) * 1000)),
    }


def _anthropic(readings: Readings, wall: float) -> Headers:
    found = {}
    names = {"requests": "requests", "tokens": "tokens", "input": "input-tokens", "output": "output-tokens"}
    for unit, one in readings.items():
        name = f"anthropic-ratelimit-{names[unit]}"
        reset = datetime.fromtimestamp(math.ceil(wall + one.reset), UTC)
        found[f"{name}-limit"] = _number(one.limit)
        found[f"{name}-remaining"] = _number(one.remaining)
        found[f"{name}-reset"] = f"{reset:%Y-%m-%dT%H:%M:%SZ}"
    return found


def _ietf(readings: Readings, wall: float) -> Headers:
    if (one := _main(readings)) is None:
        return {}
    return {
        "RateLimit-Policy": f"{_number(one.limit)};w={_number(one.period)}",
        "RateLimit-Limit": _number(one.limit),
        "RateLimit-Remaining": _number(one.remaining),
        "RateLimit-Reset": one.whole_reset,
    }


SPELLINGS: dict[str, Callable[[Readings, float], Headers]] = {
    "openai": _openai,
    "mistral": _mistral,
    "mistral-old": _mistral_old,
    "together": _together,
    "together-dynamic": _together_dynamic,
    "openrouter": _openrouter,
    "anthropic": _anthropic,
    "ietf": _ietf,
}


def _main(readings: Readings) -> Reading | None:
    """The allowance that a spelling without units speaks of: requests where there are any."""
    return readings.get("requests") or next(iter(readings.values()), None)


def _number(value: float) -> str:
    return str(round(value)) if abs(value - round(value)) < TINY else f"{value:.3f}".rstrip("0")


def duration(seconds: float) -> str:
    """Write a duration as OpenAI does (as Go does): 6m0s, 1.5s, 20ms."""
    milliseconds = math.ceil(seconds * 1000 - TINY)
    if 0 < milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    before = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{before}{_number(rest / 1000)}s"
