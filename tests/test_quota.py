"""A quota never grants too much, never makes anybody wait too long, and is told in every spelling."""

import math
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.quota import SPELLINGS, Allowance, Kind, Quota, RetryAfter, duration, from_json

KINDS: tuple[Kind, ...] = ("sliding", "fixed", "bucket")
# Seconds between requests, and the tokens of each.
REQUESTS = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 100)), min_size=1, max_size=60)


def granted(quota: Quota, requests: list[tuple[float, int]], start: float = 1000.0) -> list[tuple[float, int]]:
    """The requests that were granted, with their times."""
    now, found = start, []
    for gap, tokens in requests:
        now += gap
        if quota.take(now, tokens, 0) is None:
            found.append((now, tokens))
    return found


def most_in_any_window(taken: list[tuple[float, int]], period: float) -> int:
    return max(
        (sum(tokens for at, tokens in taken if begin <= at and at < begin + period) for begin, _ in taken), default=0
    )


@given(REQUESTS, st.integers(1, 200), st.floats(0.1, 100))
def test_a_sliding_allowance_holds_in_any_window(requests: list[tuple[float, int]], amount: int, period: float) -> None:
    taken = granted(Quota([Allowance("tokens", amount, period)]), requests)
    assert most_in_any_window(taken, period) <= amount


@given(REQUESTS, st.integers(1, 200), st.integers(1, 100))
def test_a_fixed_allowance_holds_in_its_windows(requests: list[tuple[float, int]], amount: int, period: int) -> None:
    taken = granted(Quota([Allowance("tokens", amount, period, "fixed")]), requests)
    windows = {at // period for at, _ in taken}
    assert all(sum(tokens for at, tokens in taken if at // period == window) <= amount for window in windows)


@given(REQUESTS, st.integers(1, 200), st.floats(0.1, 100), st.integers(1, 200))
def test_a_bucket_holds_its_burst_and_what_has_flown_in(
    requests: list[tuple[float, int]], amount: int, period: float, burst: int
) -> None:
    taken = granted(Quota([Allowance("tokens", amount, period, "bucket", burst)]), requests)
    for number, (begin, _) in enumerate(taken):
        for last, (end, _) in enumerate(taken[number:], number):
            sent = sum(tokens for _, tokens in taken[number : last + 1])
            assert sent <= burst + (end - begin) * amount / period + 1e-3


@given(REQUESTS, st.integers(1, 200), st.floats(0.1, 100), st.sampled_from(KINDS))
def test_the_wait_is_neither_too_short_nor_too_long(
    requests: list[tuple[float, int]], amount: int, period: float, kind: Kind
) -> None:
    quota, now = Quota([Allowance("tokens", amount, period, kind), Allowance("requests", 3, period, kind)]), 1000.0
    for gap, tokens in requests:
        now += gap
        wait = quota.take(now, tokens, 0)
        if wait is None:
            continue
        assert wait > 0
        assert math.isinf(wait) == (tokens > amount)
        if math.isfinite(wait):
            early = quota.take(now + wait * 0.99 - 1e-3, tokens, 0)
            assert early is not None
            now += wait
            assert quota.take(now, tokens, 0) is None


def test_a_refused_request_books_nothing() -> None:
    quota = Quota([Allowance("requests", 2), Allowance("tokens", 100)])
    assert quota.take(0, 90, 0) is None
    assert quota.take(0, 20, 0) == 60
    assert quota.take(0, 10, 0) is None
    assert quota.take(30, 0, 0) == 30


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_not_written_is_given_back_where_it_is_settled(kind: Kind) -> None:
    for settled in (True, False):
        quota = Quota([Allowance("tokens", 1000, 1e9, kind, settled=settled)])
        quota.take(0, 100, 800)
        quota.settle(1, 100, 800, 50)
        assert (quota.take(1, 100, 740) is None) == settled


def test_each_unit_counts_its_own() -> None:
    quota = Quota([Allowance("input", 100), Allowance("output", 50)])
    assert quota.take(0, 100, 10) is None
    assert quota.take(1, 0, 40) is None
    assert quota.take(2, 0, 1) == 58
    assert quota.take(2, 1, 0) == 58


@given(REQUESTS)
def test_settling_never_books_below_what_was_used(requests: list[tuple[float, int]]) -> None:
    quota, now, used = Quota([Allowance("tokens", 500, settled=True)]), 1000.0, []
    for gap, tokens in requests:
        now += gap
        if quota.take(now, tokens, 100) is None and tokens % 3:
            quota.settle(now, tokens, 100, tokens % 7)
            used.append((now, tokens + tokens % 7))
    assert most_in_any_window(used, 60) <= 500


def test_a_halved_limit_remembers_what_was_taken() -> None:
    quota = Quota([Allowance("requests", 10)])
    assert [quota.take(second, 0, 0) for second in range(8)] == [None] * 8
    quota.allowances = (Allowance("requests", 5),)
    # Four of the eight must be a minute old: the fourth was sent at second 3.
    assert quota.take(8, 0, 0) == 55
    quota.allowances = (Allowance("requests", 10),)
    assert quota.take(8, 0, 0) is None


def test_a_bucket_that_is_exchanged_keeps_its_level() -> None:
    quota = Quota([Allowance("requests", 60, kind="bucket")])
    for _ in range(60):
        assert quota.take(0, 0, 0) is None
    quota.allowances = (Allowance("requests", 30, kind="bucket"),)
    assert quota.take(0, 0, 0) == pytest.approx(2)


EXPECTED = {
    "openai": {
        "x-ratelimit-limit-requests": "1200",
        "x-ratelimit-remaining-requests": "1199",
        "x-ratelimit-reset-requests": "1m0s",
        "x-ratelimit-limit-tokens": "60000",
        "x-ratelimit-remaining-tokens": "59700",
        "x-ratelimit-reset-tokens": "1m0s",
    },
    "mistral": {
        "x-ratelimit-limit-req-minute": "1200",
        "x-ratelimit-remaining-req-minute": "1199",
        "x-ratelimit-limit-tokens-minute": "60000",
        "x-ratelimit-remaining-tokens-minute": "59700",
    },
    "mistral-old": {
        "x-ratelimitbysize-limit-minute": "60000",
        "x-ratelimitbysize-remaining-minute": "59700",
        "ratelimitbysize-limit": "60000",
        "ratelimitbysize-remaining": "59700",
        "ratelimitbysize-reset": "60",
    },
    "together": {
        "x-ratelimit-limit": "20",
        "x-ratelimit-remaining": "20",
        "x-ratelimit-reset": "60",
        "x-tokenlimit-limit": "1000",
        "x-tokenlimit-remaining": "995",
    },
    "together-dynamic": {
        "x-ratelimit-limit": "40",
        "x-ratelimit-remaining": "20",
        "x-ratelimit-reset": "60",
        "x-tokenlimit-limit": "2000",
        "x-tokenlimit-remaining": "995",
        "x-ratelimit-limit-dynamic": "20",
        "x-tokenlimit-limit-dynamic": "1000",
    },
    "openrouter": {},
    "anthropic": {
        "anthropic-ratelimit-requests-limit": "1200",
        "anthropic-ratelimit-requests-remaining": "1199",
        "anthropic-ratelimit-requests-reset": "2001-09-09T01:47:40Z",
        "anthropic-ratelimit-tokens-limit": "60000",
        "anthropic-ratelimit-tokens-remaining": "59700",
        "anthropic-ratelimit-tokens-reset": "2001-09-09T01:47:40Z",
        "anthropic-ratelimit-input-tokens-limit": "9000",
        "anthropic-ratelimit-input-tokens-remaining": "8900",
        "anthropic-ratelimit-input-tokens-reset": "2001-09-09T01:47:40Z",
    },
    "ietf": {
        "RateLimit-Policy": "1200;w=60",
        "RateLimit-Limit": "1200",
        "RateLimit-Remaining": "1199",
        "RateLimit-Reset": "60",
    },
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_tells_what_is_left(spelling: str) -> None:
    allowances = [Allowance("requests", 1200), Allowance("tokens", 60000), Allowance("input", 9000)]
    quota = Quota(allowances, spelling)
    quota.take(5000, 100, 200)
    assert quota.headers(5000, None, 1e9) == EXPECTED[spelling]


def test_openrouter_speaks_only_where_it_refuses() -> None:
    quota = Quota([Allowance("requests", 1)], "openrouter")
    quota.take(0, 0, 0)
    assert quota.headers(10, 50, 1e9) == {
        "X-RateLimit-Limit": "1",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": "1000000050000",
        "Retry-After": "1",
    }


@pytest.mark.parametrize(("retry_after", "said"), [("exact", "13"), (7, "7"), (0.5, "0.5"), ("none", None)])
def test_a_refusal_says_when_to_come_back(retry_after: RetryAfter, said: str | None) -> None:
    assert Quota([], None, retry_after).headers(0, 12.2).get("Retry-After") == said
    assert "Retry-After" not in Quota([], None, retry_after).headers(0, None)


def test_a_date_to_come_back_is_never_too_early() -> None:
    said = Quota([], None, "date").headers(5, 12.2, 1e9 + 0.9)["Retry-After"]
    assert said == "Sun, 09 Sep 2001 01:46:54 GMT"
    assert parsedate_to_datetime(said).timestamp() == 1e9 + 14


def test_what_never_fits_is_given_no_time() -> None:
    quota = Quota([Allowance("tokens", 10)], None, "exact")
    wait = quota.take(0, 11, 0)
    assert wait == math.inf
    assert quota.headers(0, wait) == {}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.02, "20ms"), (1.5, "1.5s"), (1, "1s"), (360, "6m0s"), (61.25, "1m1.25s"), (3723, "1h2m3s")],
)
def test_durations_are_written_as_go_does(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_json_describes_a_quota() -> None:
    given = {"allowances": [{"unit": "requests", "amount": 5}], "spelling": "ietf", "retry_after": "exact"}
    quota = from_json(given, 0)
    assert quota.allowances == (Allowance("requests", 5),)
    assert (quota.spelling, quota.retry_after) == ("ietf", "exact")


@pytest.mark.parametrize("make", [lambda: Quota([], "klingon"), lambda: from_json({"allowances": [{"unit": 1}]}, 0)])
def test_a_wrong_description_is_said(make: Callable[[], Quota]) -> None:
    with pytest.raises((ValueError, TypeError)):
        make()
