from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base.errors import (
    AccountRefused,
    CallFailed,
    CallRejected,
    DocmillError,
    ModelUnknown,
    Overflow,
    RouteUnavailable,
    Transient,
)
from tasks.providers.http_errors import AGAIN, failure, retry_after
from tasks.providers.protocol import Reply

FIELDS = st.sampled_from(("message", "code", "type"))
NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
OVERFLOWS = (
    "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
    "context_length_exceeded",
    "the request exceeds the available context size, try increasing it (exceed_context_size_error)",
    "Input is too long for requested model.",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "Prompt contains 40000 tokens, which exceeds the model's 32768",
    "too many tokens",
    "The prompt and max_tokens exceed the context window",
    "inputs tokens + max_new_tokens: `inputs` must be <= 4096, but inputs length exceeds it",
)


def failed(status: int, error: object = None, body: bytes = b"", **headers: str) -> DocmillError:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return failure(Reply(status, names, body), error, now=NOW)


@pytest.mark.parametrize("status", [400, 403, 413, 422])
@pytest.mark.parametrize("words", OVERFLOWS)
def test_a_prompt_that_is_too_long_is_an_overflow_in_any_wording(status: int, words: str) -> None:
    error = failed(status, {"message": words})
    assert isinstance(error, Overflow)
    assert (error.reason, error.status) == ("context_overflow", status)


@pytest.mark.parametrize("words", ["temperature must be below 2", "unknown field 'seed'", "invalid role"])
def test_another_bad_request_is_set_aside(words: str) -> None:
    error = failed(400, {"message": words})
    assert type(error) is CallRejected
    assert (error.reason, error.status) == ("http_400", 400)
    assert words in str(error)


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "Incorrect API key provided"), (402, "Payment required"), (403, "Your key has no access to this")],
)
def test_a_refused_account_is_lost_and_says_what_to_check(status: int, words: str) -> None:
    error = failed(status, {"message": words})
    assert isinstance(error, AccountRefused)
    assert isinstance(error, RouteUnavailable)
    assert f"HTTP {status}: {words}" in str(error)
    assert "check the key and its credit" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        {"message": "You exceeded your current quota", "type": "insufficient_quota", "code": "insufficient_quota"},
        {"message": "Insufficient credits. Add more at the site"},
        {"message": "Insufficient balance"},
        {"message": "Please check your plan and billing details"},
    ],
)
@pytest.mark.parametrize("status", [400, 429])
def test_a_spent_quota_is_the_accounts_and_no_rate_limit(status: int, error: dict[str, str]) -> None:
    assert isinstance(failed(status, error), AccountRefused)


def test_a_model_that_is_not_there_is_a_lost_route() -> None:
    error = failed(404, {"message": "The model `mistral-huge` does not exist"})
    assert isinstance(error, ModelUnknown)
    assert "mistral-huge" in str(error)
    assert "check --model and the base URL" in str(error)


@pytest.mark.parametrize("status", sorted(AGAIN))
def test_what_heals_by_waiting_is_asked_again(status: int) -> None:
    error = failed(status, {"message": "slow down"})
    assert isinstance(error, Transient)
    assert (error.reason, error.status, error.retry_after) == (f"http_{status}", status, None)


def test_the_words_of_an_overflow_in_a_rate_limit_do_not_make_it_one() -> None:
    error = failed(429, {"message": "Too many tokens this minute"})
    assert isinstance(error, Transient)


def test_a_rate_limit_worded_as_a_quota_is_asked_again_and_elsewhere_it_is_the_accounts() -> None:
    words = {"message": "Quota exceeded for quota metric 'Requests per minute'"}
    error = failed(429, words, retry_after="12")
    assert isinstance(error, Transient)
    assert (error.reason, error.retry_after) == ("http_429", 12.0)
    assert isinstance(failed(400, words), AccountRefused)


def test_a_rate_limit_says_how_long_to_wait_in_seconds() -> None:
    error = failed(429, {"message": "slow down"}, retry_after="7")
    assert isinstance(error, Transient)
    assert error.retry_after == 7.0


def test_a_rate_limit_says_how_long_to_wait_by_a_date() -> None:
    when = format_datetime(NOW + timedelta(seconds=90), usegmt=True)
    error = failed(503, {"message": "back soon"}, retry_after=when)
    assert isinstance(error, Transient)
    assert error.retry_after == 90.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("1.5", 1.5),
        (" 12 ", 12.0),
        ("-3", 0.0),
        ("inf", None),
        ("-inf", None),
        ("nan", None),
        ("1e999", None),
        ("Tue, 24 Nov 2026 12:00:30 GMT", 30.0),
        ("Tue, 24 Nov 2026 13:00:30 +0100", 30.0),
        ("Tue, 24 Nov 2026 12:00:30 -0000", 30.0),
        ("Tuesday, 24-Nov-26 12:00:30 GMT", 30.0),
        ("Tue, 24 Nov 2026 11:59:00 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_negative(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


def test_without_the_header_there_is_no_wish() -> None:
    assert retry_after({}, NOW) is None


@settings(deadline=None, max_examples=100)
@given(value=st.text(max_size=30))
def test_no_header_breaks_the_reading(value: str) -> None:
    wait = retry_after({"retry-after": value}, NOW)
    assert wait is None or wait >= 0


@settings(deadline=None, max_examples=100)
@given(seconds=st.integers(0, 10**7))
def test_any_date_to_come_is_as_far_as_it_is(seconds: int) -> None:
    when = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after({"retry-after": when}, NOW) == seconds


def test_a_page_is_told_in_one_short_line_without_its_tags() -> None:
    page = b"<html>\n<head><title>500</title></head>\n<body>" + b"Oops! " * 200 + b"</body></html>"
    error = failed(500, body=page)
    assert str(error).startswith("HTTP 500: 500 Oops! Oops!")
    assert len(str(error)) < 300
    assert "<" not in str(error)
    assert "\n" not in str(error)


def test_an_empty_body_is_called_so() -> None:
    assert str(failed(500)) == "HTTP 500: an empty body"


@settings(deadline=None, max_examples=100)
@given(
    status=st.integers(300, 599),
    error=st.none() | st.text(max_size=40) | st.dictionaries(FIELDS, st.text("ab ")),
    body=st.binary(max_size=60),
)
def test_every_refusal_is_one_of_ours_and_carries_its_status(status: int, error: object, body: bytes) -> None:
    ours = failed(status, error, body)
    assert isinstance(ours, CallFailed | RouteUnavailable)
    assert f"HTTP {status}" in str(ours)
    if isinstance(ours, CallFailed):
        assert ours.status == status
        assert ours.reason
