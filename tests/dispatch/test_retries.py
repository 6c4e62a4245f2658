"""Whether to ask again, as properties of one pure function."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tasks.base.errors import CallRejected, Overflow, Transient
from tasks.dispatch.retry import MOST_REFUSALS, RATE_LIMITED, ROUTE_WIDE, Policy, wait_before_retry

TRIES = st.integers(1, 50)
LUCKS = st.floats(0, 1, exclude_max=True)
SHARES = st.floats(0, 1)
POLICIES = st.builds(
    Policy,
    least=st.integers(1, 20),
    most=st.integers(20, 40),
    base=st.floats(0.01, 10),
    ceiling=st.floats(0.1, 100),
    longest_retry_after=st.floats(1, 1000),
)
REASONS = st.sampled_from(sorted(ROUTE_WIDE | {"empty_answer", "error_in_answer"}))


@given(TRIES, SHARES, LUCKS, POLICIES)
def test_the_wait_is_under_an_exponential_ceiling(tries: int, share: float, jitter: float, policy: Policy) -> None:
    wait = wait_before_retry(Transient("http_500", "busy"), tries, share, jitter, policy)
    if tries >= policy.attempts("http_500", share):
        assert wait is None
    else:
        assert wait is not None
        assert 0 <= wait <= min(policy.ceiling, policy.base * 2 ** (tries - 1))


@given(LUCKS, st.integers(1, 5))
def test_luck_spreads_the_waits_over_the_whole_range(jitter: float, tries: int) -> None:
    error, policy = Transient("http_500", "busy"), Policy()
    whole = min(policy.ceiling, policy.base * 2 ** (tries - 1))
    assert wait_before_retry(error, tries, 0.05, jitter, policy) == jitter * whole


@given(TRIES, SHARES, LUCKS, POLICIES, st.floats(0, 1e9))
def test_retry_after_is_a_floor_and_capped(
    tries: int, share: float, jitter: float, policy: Policy, asked: float
) -> None:
    wait = wait_before_retry(Transient("http_503", "slow down", retry_after=asked), tries, share, jitter, policy)
    if tries >= policy.attempts("http_503", share):
        assert wait is None
        return
    floor = min(asked, policy.longest_retry_after)
    assert wait is not None
    assert floor <= wait <= floor + policy.ceiling


@given(TRIES, SHARES, LUCKS, POLICIES)
def test_a_call_set_aside_is_never_asked_again(tries: int, share: float, jitter: float, policy: Policy) -> None:
    assert wait_before_retry(CallRejected("http_400", "no"), tries, share, jitter, policy) is None
    assert wait_before_retry(Overflow("context_overflow", "too long"), tries, share, jitter, policy) is None


@given(REASONS, SHARES, SHARES, POLICIES)
def test_attempts_grow_with_the_share_of_calls_that_fail(
    reason: str, share: float, other: float, policy: Policy
) -> None:
    less, more = sorted((share, other))
    assert policy.attempts(reason, less) <= policy.attempts(reason, more)


@given(REASONS, SHARES)
def test_attempts_are_within_their_bounds(reason: str, share: float) -> None:
    policy = Policy()
    least = policy.least_timeouts if reason == "timeout" else policy.least
    assert least <= policy.attempts(reason, share) <= policy.most


@given(st.floats(0.01, 0.5))
def test_a_call_is_given_up_only_where_chance_is_no_reason(share: float) -> None:
    """One attempt less would be given up more often than once in fifty million calls."""
    policy = Policy()
    assert math.pow(share, policy.attempts("http_500", share)) <= policy.by_chance / share


@given(SHARES)
def test_a_timeout_is_asked_again_at_least_twice(share: float) -> None:
    """It is dear: a healthy route gives it up sooner than a failure that comes at once."""
    policy = Policy()
    assert policy.attempts("timeout", share) >= 3
    assert policy.attempts("timeout", share) <= policy.attempts("http_500", share)
    assert wait_before_retry(Transient("timeout", "late"), 2, share, 0.5, policy) is not None


@given(st.integers(1, MOST_REFUSALS - 1), SHARES, LUCKS, st.sampled_from(sorted(RATE_LIMITED)))
def test_a_refusal_is_no_failure_and_asked_again_much_longer(
    tries: int, share: float, jitter: float, reason: str
) -> None:
    assert wait_before_retry(Transient(reason, "slow down"), tries, share, jitter, Policy()) is not None
    assert wait_before_retry(Transient(reason, "slow down"), MOST_REFUSALS, share, jitter, Policy()) is None
