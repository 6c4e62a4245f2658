"""Whether to ask again, as properties of one pure function."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.dispatch.retries import Policy, wait_before_retry
from tasks.errors import Overflow, SetAside, Transient

attempts = st.integers(1, 50)
lucks = st.floats(0, 1, exclude_max=True)
policies = st.builds(
    Policy,
    attempts=st.integers(1, 20),
    base=st.floats(0.01, 10),
    ceiling=st.floats(0.1, 100),
    longest_retry_after=st.floats(1, 1000),
)


@given(attempts, lucks, policies)
def test_the_wait_is_under_an_exponential_ceiling(attempt: int, luck: float, policy: Policy) -> None:
    wait = wait_before_retry(Transient("http_500", "busy"), attempt, luck, policy)
    if attempt >= policy.attempts:
        assert wait is None
    else:
        assert wait is not None
        assert 0 <= wait <= min(policy.ceiling, policy.base * 2 ** (attempt - 1))


@given(lucks, st.integers(1, 5))
def test_luck_spreads_the_waits_over_the_whole_range(luck: float, attempt: int) -> None:
    error, policy = Transient("http_500", "busy"), Policy()
    whole = min(policy.ceiling, policy.base * 2 ** (attempt - 1))
    assert wait_before_retry(error, attempt, luck, policy) == luck * whole


@given(attempts, lucks, policies, st.floats(0, 1e9))
def test_retry_after_is_a_floor_and_capped(attempt: int, luck: float, policy: Policy, asked: float) -> None:
    wait = wait_before_retry(Transient("http_429", "slow down", retry_after=asked), attempt, luck, policy)
    if attempt >= policy.attempts:
        assert wait is None
        return
    floor = min(asked, policy.longest_retry_after)
    assert wait is not None
    assert floor <= wait <= floor + policy.ceiling


@given(attempts, lucks, policies)
def test_a_call_set_aside_is_never_asked_again(attempt: int, luck: float, policy: Policy) -> None:
    assert wait_before_retry(SetAside("http_400", "no"), attempt, luck, policy) is None
    assert wait_before_retry(Overflow("context_overflow", "too long"), attempt, luck, policy) is None
