"""A breaker opens on a run of failures of different calls, and closes with an answer."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.dispatch.breaker import FIRST_SECONDS, LONGEST_SECONDS, RUN, Breaker


def fail(breaker: Breaker, *numbers: int, now: float = 0.0) -> None:
    for number in numbers:
        breaker.failed(f"call {number}", f"document {number}", "HTTP 503", now, first=True)


def opened() -> Breaker:
    breaker = Breaker()
    fail(breaker, *range(RUN))
    return breaker


def test_it_opens_on_a_run_of_failures_of_different_calls() -> None:
    breaker = Breaker()
    fail(breaker, *range(RUN - 1))
    assert breaker.admits("anybody", 0.0)
    fail(breaker, RUN)
    assert breaker.is_open
    assert breaker.last_error == "HTTP 503"
    assert not breaker.admits("anybody", 0.0)


@given(st.integers(1, 1000), st.integers(1, RUN - 1))
def test_a_few_poisonous_calls_never_open_it(times: int, calls: int) -> None:
    breaker = Breaker()
    for number in range(times):
        fail(breaker, number % calls)
    assert not breaker.is_open


@given(st.lists(st.booleans(), max_size=200))
def test_an_answer_begins_the_run_anew(answers: list[bool]) -> None:
    """It is open after exactly the runs that are long enough, in any order of answers and failures."""
    breaker, run = Breaker(), 0
    for number, answered in enumerate(answers):
        if answered:
            breaker.succeeded(0.0, first=True)
        else:
            fail(breaker, number)
        run = 0 if answered else run + 1
        assert breaker.is_open == (run >= RUN)


def test_a_refusal_of_one_call_shows_that_the_server_is_there() -> None:
    breaker = opened()
    breaker.alive()
    assert not breaker.is_open
    fail(breaker, *range(RUN - 1))
    assert not breaker.is_open


def test_one_probe_at_a_time_goes_once_the_wait_is_over() -> None:
    breaker = opened()
    assert not breaker.admits("one", FIRST_SECONDS - 0.01)
    assert breaker.admits("one", FIRST_SECONDS)
    assert breaker.admits("one", FIRST_SECONDS)  # the same may ask twice: before and after it waited
    assert not breaker.admits("two", FIRST_SECONDS + 100)
    fail(breaker, 99)  # one that was in flight since before changes nothing
    assert not breaker.admits("two", FIRST_SECONDS + 100)


def test_a_probe_that_ends_without_an_answer_lets_another() -> None:
    breaker = opened()
    assert breaker.admits("one", 10.0)
    breaker.release("another")
    assert not breaker.admits("two", 10.0)
    breaker.release("one")
    assert breaker.admits("two", 10.0)


def test_it_closes_for_all_on_an_answer() -> None:
    breaker = opened()
    assert breaker.admits("one", 10.0)
    breaker.succeeded(11.0, first=False)
    assert not breaker.is_open
    assert all(breaker.admits(who, 11.0) for who in ("one", "two", "three"))
    assert (breaker.answered, breaker.answered_at) == (1, 11.0)


def test_it_waits_longer_each_time_up_to_the_longest_and_briefly_again_after_an_answer() -> None:
    breaker, now, waits = opened(), 0.0, []
    for _ in range(9):
        until = now
        while not breaker.admits("prober", until):
            until += 0.25
        waits.append(until - now)
        now = until
        breaker.failed("probe", "prober", "still down", now, first=False)
    assert waits[:5] == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert waits[5:] == [LONGEST_SECONDS] * 4
    breaker.succeeded(now, first=False)
    fail(breaker, *range(RUN), now=now)
    assert breaker.admits("prober", now + FIRST_SECONDS)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=300))
def test_the_failing_share_counts_first_attempts_only_and_is_a_share(events: list[tuple[bool, bool]]) -> None:
    breaker = Breaker()
    for number, (failed, first) in enumerate(events):
        before = breaker.failing_share
        if failed:
            breaker.failed(str(number), str(number), "", 0.0, first=first)
        else:
            breaker.succeeded(0.0, first=first)
        assert 0 <= breaker.failing_share <= 1
        change = breaker.failing_share - before
        assert change >= 0 if failed else change <= 0
        assert first or change == 0


def test_the_failing_share_follows_within_a_hundred_calls() -> None:
    breaker = Breaker()
    for number in range(100):
        if number % 2:
            breaker.succeeded(0.0, first=True)
        else:
            fail(breaker, number)
    assert 0.4 < breaker.failing_share < 0.6
