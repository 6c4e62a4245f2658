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
NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(?:$|[,;])")
POLICY = re.compile(r"([0-9]+)\s*;[^,]*\bw\s*=\s*([0-9]+)")
DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|h|m|s)")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
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
        if limit > 0 and span <= LONGEST and (key not in found or dynamic > found[key][0]):
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


def _seconds(value: str, wall: float) -> float | None:
    """Read a number of seconds, `6m0s`, or a time since 1970 in seconds or milliseconds."""
    parts = DURATION.findall(value)
    if parts and not DURATION.sub("", value).strip():
        seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    else:
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
            for limit, window in POLICY.findall(value):
                yield "requests", float(window), float(limit), True
            continue
        words = FAMILY.sub("family", name).split("-")
        match = NUMBER.match(value)
        if "limit" in words and match:
            yield _unit(name, words), _period(words, period), float(match[1]), "dynamic" in words


def _unit(name: str, words: list[str]) -> Unit:
    if "input" in words or "prompt" in words:
        return "input"
    if "output" in words or "completion" in words:
        return "output"
    counted = "tokens" in words or "token" in words or "tokenlimit" in name or "bysize" in name
    return "tokens" if counted else "requests"


def _period(words: list[str], default: float) -> float:
    return next((PERIODS[word] for word in words if word in PERIODS), default)
