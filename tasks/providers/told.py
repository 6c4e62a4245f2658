"""Rate limits as answers' headers tell them, by pattern: every provider spells them in its own way.

Spellings known: x-ratelimit-limit-requests (OpenAI), x-ratelimit-limit-req-minute and
x-ratelimitbysize-limit-minute (Mistral), x-ratelimit-limit and x-tokenlimit-limit with
their -dynamic variants (Together, a second), anthropic-ratelimit-input-tokens-limit,
RateLimit-Policy `100;w=60` and RateLimit-Limit (IETF), X-RateLimit-Limit (OpenRouter).
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Unit = Literal["requests", "tokens", "input", "output"]
PERIODS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0, "month": 2_592_000.0}
FAMILY = re.compile(r"rate-?limit|token-?limit")
# Commas in threes part thousands; others part values, of which the first counts.
NUMBER = re.compile(r"\s*([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:\.[0-9]+)?)(k|m)?\s*(?:$|[,;])", re.IGNORECASE)
# IETF: `100;w=60`, and since 2024 `"name";q=100;w=60` with the unit, where it isn't requests, in `qu`.
POLICY = re.compile(r"(?:\bq\s*=\s*|(?:^|,)\s*)([0-9]{1,15})\s*(?=;)[^,]*?;\s*w\s*=\s*([0-9]{1,15})")
OTHER_UNIT = re.compile(r"\bqu\s*=\s*\"(?!requests)", re.IGNORECASE)
DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)(ms|h|m|s)[a-z]*", re.IGNORECASE)
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
THOUSANDS = {"": 1, "k": 1_000, "m": 1_000_000}
# What a name may count besides requests and tokens, which is no pace of either.
OTHER_COUNTS = frozenset({
    "images", "image", "audio", "seconds", "minutes", "characters", "concurrency", "concurrent", "connections", "files",
    "pages", "videos", "batch", "batches", "enqueued", "cost", "credits", "usd", "spend", "bytes", "sessions",
})  # fmt: skip
# Months and days are a quota, not a pace.
LONGEST = 3600.0
LONGEST_RESET = 60.0


@dataclass(frozen=True, slots=True)
class Told:
    """A limit: so many units in a period of seconds."""

    unit: Unit
    period: float
    limit: float


def told_limits(headers: Mapping[str, str], *, period: float = 60.0) -> list[Told]:
    """Return the limits that headers tell; `period` is the provider's where they don't say.

    A dynamic limit, which is the one in force, takes the place of the plain one.
    """
    found: dict[tuple[Unit, float], tuple[bool, float]] = {}
    for unit, span, limit, dynamic in _limits(headers, period):
        key = (unit, span)
        if 0 < limit < math.inf and 0 < span <= LONGEST and (key not in found or dynamic > found[key][0]):
            found[key] = (dynamic, limit)
    return [Told(unit, span, limit) for (unit, span), (_, limit) in found.items()]


def told_reset(headers: Mapping[str, str], *, wall: float) -> float | None:
    """Return the seconds until a used-up limit is free again: X-RateLimit-Reset or RateLimit-Reset.

    Only the plain spellings: those of one unit (`-reset-tokens`) say when all of it
    is free, which is much later than when the next call may go. `wall` is Unix time.
    """
    for name in ("x-ratelimit-reset", "ratelimit-reset"):
        value = headers.get(name) or headers.get(name.title().replace("Ratelimit", "RateLimit"))
        if value:
            return _seconds(value, wall)
    return None


def duration(value: str) -> float | None:
    """Return the seconds of a duration, as `6m0s`, `1.5s` or `20ms`; None for what is none."""
    parts = DURATION.findall(value)
    if not parts or DURATION.sub("", value).strip():
        return None
    return sum(float(number) * SECONDS[unit.lower()] for number, unit in parts)


def _seconds(value: str, wall: float) -> float | None:
    """Read a number of seconds, `6m0s`, or a time since 1970 in seconds or milliseconds."""
    seconds = duration(value)
    if seconds is None:
        try:
            number = float(value)
        except ValueError:
            return None
        number = number / 1000 if number > 1e12 else number
        seconds = number - wall if number > 1e9 else number
    return min(max(0.0, seconds), LONGEST_RESET) if math.isfinite(seconds) else None


def _limits(headers: Mapping[str, str], period: float) -> Iterator[tuple[Unit, float, float, bool]]:
    for raw, value in headers.items():
        name = raw.lower()
        if not FAMILY.search(name):
            continue
        if name.endswith("policy"):
            for policy in POLICY.finditer(value):
                if not OTHER_UNIT.search(policy[0]):
                    yield "requests", float(policy[2]), float(policy[1]), True
            continue
        words = FAMILY.sub("family", name).split("-")
        match = NUMBER.match(value)
        if "limit" in words and match and OTHER_COUNTS.isdisjoint(words):
            number = float(match[1].replace(",", "")) * THOUSANDS[(match[2] or "").lower()]
            yield _unit(name, words), _period(words, period), number, "dynamic" in words


def _unit(name: str, words: list[str]) -> Unit:
    if "input" in words or "prompt" in words:
        return "input"
    if "output" in words or "completion" in words:
        return "output"
    counted = "tokens" in words or "token" in words or "tokenlimit" in name or "bysize" in name
    return "tokens" if counted else "requests"


def _period(words: list[str], default: float) -> float:
    return next((PERIODS[word] for word in words if word in PERIODS), default)
