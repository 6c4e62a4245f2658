"""Rate limits as answers' headers tell them, by pattern: every provider spells them in its own way.

Spellings known: x-ratelimit-limit-requests (OpenAI), x-ratelimit-limit-req-minute and
x-ratelimitbysize-limit-minute (Mistral), x-ratelimit-limit and x-tokenlimit-limit with
their -dynamic variants (Together, a second), anthropic-ratelimit-input-tokens-limit,
RateLimit-Policy `100;w=60` and RateLimit-Limit (IETF), X-RateLimit-Limit (OpenRouter),
x-ratelimit-limit-requests-day and -tokens-minute (Cerebras, https://inference-docs.cerebras.ai/support/rate-limits;
SambaNova, https://docs.sambanova.ai/docs/en/models/rate-limits), -tokens-per-day (DigitalOcean,
https://docs.digitalocean.com/products/inference/reference/quota-specific-response-headers/), and others' -1m and -tpm.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Unit = Literal["requests", "tokens", "input", "output"]
PERIODS = {
    "second": 1.0, "sec": 1.0, "s": 1.0, "minute": 60.0, "min": 60.0, "m": 60.0, "hour": 3600.0, "hr": 3600.0,
    "h": 3600.0, "day": 86400.0, "d": 86400.0, "week": 604_800.0, "w": 604_800.0, "month": 2_592_000.0,
}  # fmt: skip
# A word that names a period: `minute`, `1m`, `30days`, `rpm`, `tpd`. A letter alone names none.
SPAN = re.compile(r"([0-9]{1,4})?(second|sec|minute|min|hour|hr|day|week|month)s?|(?:([0-9]{1,4})|[rt]p)([smhdw])")
FAMILY = re.compile(r"rate-?limit|token-?limit")
# Commas before groups of three digits separate thousands; others separate values, of which the first counts.
NUMBER = re.compile(r"\s*([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+(?:\.[0-9]+)?)(k|m)?\s*(?:$|[,;])", re.IGNORECASE)
# IETF (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/): policies are parted by commas, each
# `100;w=60`, since 2024 `"name";q=100;w=60` in any order, with the unit, where it isn't requests, in `qu`.
# A quotation without an end goes on to the end: no header takes long to read.
POLICY = re.compile(r'("(?:[^"\\]|\\.)*"?|[^;,"]*)((?:"(?:[^"\\]|\\.)*"?|[^,"])*)')
PARAMETER = re.compile(r';\s*([a-z]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^";]*)')
WHOLE = re.compile(r"\s*[0-9]{1,15}\s*")
REQUESTS = frozenset({"request", "requests"})
# These headers only repeat part of a policy, whose own header holds more.
PLAIN = frozenset({"ratelimit-limit", "x-ratelimit-limit"})
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
class AdvertisedLimit:
    """A limit: so many units in a period of seconds."""

    unit: Unit
    period: float
    limit: float


def advertised_limits(headers: Mapping[str, str], *, period: float = 60.0) -> list[AdvertisedLimit]:
    """Return the limits that headers state; `period` applies where they name none, in seconds.

    A dynamic limit, which is the one in force, replaces the plain one; of two limits for the
    same period, the smaller is returned.
    """
    found: dict[tuple[Unit, float], tuple[bool, float]] = {}
    for unit, span, limit, dynamic in _limits(headers, period):
        key = (unit, span)
        if 0 < limit < math.inf and 0 < span <= LONGEST:
            found[key] = max(found.get(key, (False, -math.inf)), (dynamic, -limit))
    return [AdvertisedLimit(unit, span, -limit) for (unit, span), (_, limit) in found.items()]


def advertised_reset(headers: Mapping[str, str], *, wall: float) -> float | None:
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
    told = [(raw.lower(), value) for raw, value in headers.items() if FAMILY.search(raw.lower())]
    policies = [policy for name, value in told if name.endswith("policy") for policy in _policies(value)]
    for quota, window in policies:
        yield "requests", window, quota, True
    for name, value in told:
        if not name.endswith("policy") and not (policies and name in PLAIN):
            yield from _named(name, value, period)


def _named(name: str, value: str, period: float) -> Iterator[tuple[Unit, float, float, bool]]:
    """Yield the limits that a header states by its own name and value."""
    words = FAMILY.sub("family", name).split("-")
    match = NUMBER.match(value)
    if "limit" not in words or not match or not OTHER_COUNTS.isdisjoint(words):
        return
    policies = list(_policies(value))  # `100, 100;w=60`: the first is the nearest to be used up
    for quota, window in policies:
        yield _unit(name, words), window, quota, True
    if not policies:
        number = float(match[1].replace(",", "")) * THOUSANDS[(match[2] or "").lower()]
        yield _unit(name, words), _period(words, period), number, "dynamic" in words


def _policies(value: str) -> Iterator[tuple[float, float]]:
    """Yield how many requests the policies in a value allow, and in how many seconds."""
    for found in POLICY.finditer(value):
        said: dict[str, str] = dict(PARAMETER.findall(found[2]))
        quota, window = said.get("q", found[1]), said.get("w") or said.get("window", "")
        asks = said.get("qu", "requests").strip('" ').lower() in REQUESTS
        if asks and WHOLE.fullmatch(quota) and WHOLE.fullmatch(window):
            yield float(quota), float(window)


def _unit(name: str, words: list[str]) -> Unit:
    if "input" in words or "prompt" in words:
        return "input"
    if "output" in words or "completion" in words:
        return "output"
    counted = "tokens" in words or "token" in words or "tokenlimit" in name or "bysize" in name
    counted = counted or any(re.fullmatch("tp[smhdw]", word) for word in words)
    return "tokens" if counted else "requests"


def _period(words: list[str], default: float) -> float:
    spans = filter(None, map(SPAN.fullmatch, words))
    return next((int(span[1] or span[3] or 1) * PERIODS[span[2] or span[4]] for span in spans), default)
