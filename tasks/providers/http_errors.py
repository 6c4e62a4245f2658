"""From a refusal on the wire to one of our errors.

Statuses and wordings are those of the providers' own documentation: what heals
by waiting is Transient, what never heals for this call is CallRejected, what the
account or the model itself lacks is RouteUnavailable.
"""

import contextlib
import email.utils
import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tasks.base.errors import AccountRefused, CallFailed, CallRejected, DocmillError, ModelUnknown, Overflow, Transient
from tasks.providers.numbers import amount
from tasks.providers.protocol import Reply
from tasks.providers.rate_limit_headers import advertised_reset, duration
from tasks.providers.refusals import WITHHELD_CODES, means, speaks_of_rate

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
# Statuses of refusals that may be about the text that was sent; llama-cpp-python uses a 500 for that.
OF_TEXT = frozenset({200, 400, 403, 413, 422, 500})
# Google's quotas have names: GenerateRequestsPerDayPerProjectPerModel is spent until tomorrow.
DAILY = re.compile(r"perday|per day|daily", re.IGNORECASE)
QUOTA = re.compile(r"quota.{0,20}exceeded|exceeded.{0,20}quota|billing", re.IGNORECASE)
WAIT = re.compile(r"(?:try again|retry|available) (?:in|after) ((?:[0-9.]+ ?(?:ms|h|m|s)[a-z]*\s?)+)", re.IGNORECASE)
# The keys that hold the words of an error, and how deep they may be nested.
KEYS = ("type", "code", "status", "message", "msg", "loc", "detail", "details", "error", "errors", "metadata", "raw")
DEEPEST = 5
SHOWN, LOOKED_AT = 200, 4000


def failure(reply: Reply, error: object = None, *, now: datetime | None = None) -> DocmillError:
    """Return the error that a refusal amounts to; `error` is the body's own, where it has one."""
    text = words_of(error) or _excerpt(reply.body)
    failed = _meaning(reply, error, text, now or datetime.now(UTC))
    if isinstance(failed, CallFailed):
        failed.words = text
    return failed


def _meaning(reply: Reply, error: object, text: str, now: datetime) -> DocmillError:
    """Return the error that a refusal's words and status amount to."""
    status = _status(reply, error)
    said = f"HTTP {status}: {text[:SHOWN]}" if status != 200 else text[:SHOWN]
    aside = _about_text(error, text, said, status)
    if aside is not None:
        return aside
    if _is_spent(reply, error, text, status, now):
        return AccountRefused(f"the account is refused ({said}): check the key and its credit")
    if status in {404, 410} or (status in {400, 422} and means(text, "no_model")):
        return ModelUnknown(f"not found ({said}): check --model and the base URL")
    if status in AGAIN or status == 200 or means(text, "overloaded"):
        reason = "error_in_answer" if status == 200 else f"http_{status if status in AGAIN else 503}"
        return Transient(reason, said, status=status, retry_after=_wait(reply, error, text, status, now))
    return CallRejected(f"http_{status}", said, status=status)


def _about_text(error: object, text: str, said: str, status: int) -> CallRejected | None:
    """Return the error of a refusal that is about the text that was sent, or None."""
    # A 413 may speak of tokens a minute, as Groq's does: what is more than all of them never fits.
    if status == 413 or (status in OF_TEXT and means(text, "too_long") and not speaks_of_rate(text)):
        return Overflow("context_overflow", said, status=status)
    if status in {400, 403, 422, 451} and _is_withheld(error, text):
        return CallRejected("content_filter", said, status=status)
    return None


def _is_withheld(error: object, text: str) -> bool:
    """Whether a refusal is about the content of the text, by its words, its code or its metadata."""
    fields = error if isinstance(error, Mapping) else {}
    if str(fields.get("code")) in WITHHELD_CODES or means(text, "withheld"):
        return True
    # OpenRouter's moderation shows what it flagged, whatever the message (https://openrouter.ai/docs/errors);
    # a 403 without it is of the key.
    metadata = fields.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get("flagged_input") is not None


def _is_spent(reply: Reply, error: object, text: str, status: int, now: datetime) -> bool:
    """Whether a refusal is about the account: its key, its credit, or a quota that isn't renewed within minutes."""
    if status in {401, 402, 403} or means(text, "spent") or means(text, "bad_key"):
        return True
    if status == 429:
        named = str(error.get("details", "")) if isinstance(error, Mapping) else ""
        limit_of_day = DAILY.search(named) is not None
        return limit_of_day or (QUOTA.search(text) is not None and _asked_wait(reply, error, text, now) is None)
    return status < 500 and QUOTA.search(text) is not None


def _wait(reply: Reply, error: object, text: str, status: int, now: datetime) -> float | None:
    """Return the seconds that a refusal asks to wait, or None."""
    wait = _asked_wait(reply, error, text, now)
    if wait is None and status == 429:
        return advertised_reset(reply.headers, wall=now.timestamp())
    return wait


def _asked_wait(reply: Reply, error: object, text: str, now: datetime) -> float | None:
    """Return the wait that headers, Google's RetryInfo or the words ask for."""
    wait = retry_after(reply.headers, now)
    if wait is not None:
        return wait
    details = error.get("details") if isinstance(error, Mapping) else None
    named = [one.get("retryDelay") for one in details if isinstance(one, Mapping)] if isinstance(details, list) else []
    found = next((value for value in named if isinstance(value, str)), "") or _first(WAIT.search(text))
    return duration(found.replace(" ", "")) if found else None


def _first(found: re.Match[str] | None) -> str:
    return found[1] if found else ""


def message_of(error: object) -> str:
    """Return the first words of an error in any of the providers' shapes, in one line."""
    return words_of(error)[:SHOWN]


def words_of(error: object) -> str:
    """Return the words of an error in any of the providers' shapes, in one line."""
    return " ".join(" ".join(_words(error, DEEPEST)).split())[:LOOKED_AT]


def _words(error: object, deepest: int) -> Iterator[str]:
    if isinstance(error, str) and error[:1] in ("{", "[") and deepest:
        with contextlib.suppress(ValueError, RecursionError):  # LiteLLM and OpenRouter hand on another's error so
            error = json.loads(error)
    if isinstance(error, Mapping):
        for value in (error[key] for key in KEYS if error.get(key)):
            yield from _words(value, deepest - 1) if deepest else ()
    elif isinstance(error, list) and any(isinstance(one, Mapping | str) for one in error):
        for value in error[:DEEPEST]:
            yield from _words(value, deepest - 1) if deepest else ()
    elif error and not isinstance(error, bool):
        yield str(error)


def error_in(body: Any) -> object:
    """Return the error inside a decoded body: nested, flat, or a list of details; or None."""
    if not isinstance(body, Mapping):
        return None
    if body.get("error"):
        return body["error"]
    if body.get("errors") and "choices" not in body and "data" not in body:
        return body["errors"]
    if body.get("object") == "error" or ("choices" not in body and (body.get("message") or body.get("detail"))):
        return body
    return None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds a server asked to wait: a number or an HTTP date (RFC 9110, 10.2.3)."""
    milliseconds = amount(headers.get("retry-after-ms"))  # Azure's and OpenAI's
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
        return max(0.0, seconds) if math.isfinite(seconds) else None
    except ValueError:
        pass
    try:
        when = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds())


def _status(reply: Reply, error: object) -> int:
    """An error inside a 200 may carry the status it would have had."""
    code = str(error.get("code")) if isinstance(error, Mapping) else ""
    return int(code) if reply.status == 200 and re.fullmatch("[45][0-9][0-9]", code) else reply.status


def _excerpt(body: bytes) -> str:
    """One line of a body that may be a whole HTML page."""
    text = re.sub(r"<[^>]*>|\s+", " ", body[:2000].decode("utf-8", "replace"))
    return " ".join(text.split())[:SHOWN] or "an empty body"
