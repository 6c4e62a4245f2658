"""From a refusal on the wire to one of our errors.

Statuses and wordings are those of the providers' own documentation: what heals
by waiting is Transient, what never heals for this call is SetAside, what the
account or the model itself lacks is RouteLost.
"""

import email.utils
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tasks.errors import AccountRefused, DocmillError, ModelUnknown, Overflow, SetAside, Transient
from tasks.providers.told import told_reset
from tasks.providers.wire import Reply

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
OVERFLOW = re.compile(
    r"context.{0,20}(length|size|window)|maximum context|exceed_context|too many tokens"
    r"|prompt is too long|input is too long|(inputs?|prompt).{0,40}exceeds?",
    re.IGNORECASE,
)
SPENT = re.compile(r"insufficient_quota|insufficient (credit|balance|fund)|billing", re.IGNORECASE)
# In a 429 these words speak of a rate, which heals.
QUOTA = re.compile(r"quota.{0,20}exceeded|exceeded.{0,20}quota", re.IGNORECASE)
SHOWN = 200


def failure(reply: Reply, error: object = None, *, now: datetime | None = None) -> DocmillError:
    """Return the error that a refusal amounts to; `error` is the body's own, where it has one."""
    text = message_of(error) or _excerpt(reply.body)
    status = _status(reply, error)
    said = f"HTTP {status}: {text}" if status != 200 else text
    if status in {400, 403, 413, 422} and OVERFLOW.search(text):
        return Overflow("context_overflow", said, status=status)
    if status in {401, 402, 403} or SPENT.search(text) or (status != 429 and QUOTA.search(text)):
        return AccountRefused(f"the account is refused ({said}): check the key and its credit")
    if status == 404:
        return ModelUnknown(f"not found ({said}): check --model and the base URL")
    if status in AGAIN or status == 200:
        now = now or datetime.now(UTC)
        wait = retry_after(reply.headers, now)
        if wait is None and status == 429:
            wait = told_reset(reply.headers, wall=now.timestamp())
        reason = f"http_{status}" if status != 200 else "error_in_answer"
        return Transient(reason, said, status=status, retry_after=wait)
    return SetAside(f"http_{status}", said, status=status)


def message_of(error: object) -> str:
    """Return the words of an error in any of the providers' shapes."""
    if isinstance(error, Mapping):
        words = [str(error[key]) for key in ("type", "code", "message", "detail") if error.get(key)]
        return " ".join(words)[:SHOWN]
    return str(error)[:SHOWN] if error else ""


def error_in(body: Any) -> object:
    """Return the error inside a decoded body: nested, flat, or a list of details; or None."""
    if not isinstance(body, Mapping):
        return None
    if body.get("error"):
        return body["error"]
    if body.get("object") == "error" or ("choices" not in body and (body.get("message") or body.get("detail"))):
        return body
    return None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds a server asked to wait: a number or an HTTP date (RFC 9110, 10.2.3)."""
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
    except ValueError:
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
