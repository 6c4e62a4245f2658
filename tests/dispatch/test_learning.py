"""Limits that nobody declares are found, used and followed, and few calls are refused on the way."""

import random
from itertools import product

import pytest

from tasks.dispatch.limits.gate import Limits
from tests.dispatch.traffic import Change, Road, Traffic, drive, resize
from tests.quota import SPELLINGS, Allowance, Kind, Quota, RetryAfter, Unit

LIMIT = 1200
SIZE = 200  # tokens of a call
Bucket = tuple[Kind, float | None]
COUNTED: dict[str, Bucket] = {
    "sliding": ("sliding", None),
    "fixed": ("fixed", None),
    "a bucket of a minute": ("bucket", LIMIT),
    "a bucket of five seconds": ("bucket", LIMIT / 12),
    "a bucket of one second": ("bucket", LIMIT / 60),
}
TINY = "a bucket of one second"
# The two that forgive least: a minute's turn, and no burst at all.
STRICT = ("fixed", TINY)
ASKS: tuple[RetryAfter, ...] = (1.0, "exact", "none")
# What a provider's door costs, and its work: refusals are quick, answers take the whole.
DOOR = 0.02
WORK = (DOOR, 0.5)
FOLLOWED = 30
# OpenRouter tells its limit with refusals only.
TELLING = sorted(set(SPELLINGS) - {"openrouter"})


def quota(counted: str, asks: RetryAfter = 1.0, spelling: str | None = None, *, tokens: bool = False) -> Quota:
    kind, burst = COUNTED[counted]
    times = SIZE if tokens else 1
    unit: Unit = "tokens" if tokens else "requests"
    return Quota(
        [Allowance(unit, LIMIT * times, kind=kind, burst=None if burst is None else burst * times)],
        spelling,
        asks,
    )


def ask(road: Road, seconds: float, changes: dict[float, Change] | None = None, concurrency: int = 200) -> Traffic:
    luck = random.Random(3)
    return drive(
        lambda: Limits(concurrency=concurrency, jitter=luck.random), road, seconds, changes=changes, callers=100
    )


def used(traffic: Traffic, minutes: float) -> float:
    return len(traffic.answered) / (LIMIT * minutes)


def told(spelling: str) -> float:
    """The period of a spelling that doesn't tell it, as data/providers.toml has it."""
    return 1.0 if spelling.startswith("together") else 60.0


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("asks", ASKS)
@pytest.mark.parametrize("counted", sorted(set(COUNTED) - {TINY}))
def test_an_undeclared_limit_is_used_to_90_percent_and_fewer_than_8_percent_are_refused(
    counted: str, asks: RetryAfter, work: float
) -> None:
    traffic = ask(Road(quota(counted, asks), DOOR, work=work), 240)
    assert used(traffic, 4) >= 0.9
    assert traffic.refused_share < 0.08


@pytest.mark.parametrize("latency", WORK)
@pytest.mark.parametrize("asks", [1.0, "none"])
@pytest.mark.parametrize("counted", sorted(set(COUNTED) - {TINY}))
def test_a_limit_whose_refusals_are_as_slow_as_its_answers_is_used_to_90_percent(
    counted: str, asks: RetryAfter, latency: float
) -> None:
    """All that is in flight when it is full is refused: more of it than where refusals are quick."""
    traffic = ask(Road(quota(counted, asks), latency), 240)
    assert used(traffic, 4) >= 0.9
    assert traffic.refused_share < 0.12


@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("asks", ASKS)
def test_a_limit_without_bursts_is_used_to_85_percent(asks: RetryAfter, work: float) -> None:
    traffic = ask(Road(quota(TINY, asks), DOOR, work=work), 240)
    assert used(traffic, 4) >= 0.85
    assert traffic.refused_share < 0.12


@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize(("spelling", "counted"), [*product(TELLING, STRICT), *product(["openai"], COUNTED)])
def test_a_limit_told_by_answers_is_used_to_95_percent_and_fewer_than_3_percent_are_refused(
    spelling: str, counted: str, *, tokens: bool
) -> None:
    if (spelling, tokens) in {("mistral-old", False), ("ietf", True)}:
        pytest.skip("not told in this spelling")
    road = Road(quota(counted, spelling=spelling, tokens=tokens), DOOR, work=0.5, told_period=told(spelling))
    traffic = ask(road, 65)
    assert traffic.answers(5, 65) >= 0.95 * LIMIT
    assert traffic.refused_share < 0.03


@pytest.mark.parametrize("counted", COUNTED)
def test_a_limit_told_by_refusals_alone_is_used_to_90_percent(counted: str) -> None:
    traffic = ask(Road(quota(counted, spelling="openrouter"), DOOR, work=0.5), 240)
    assert used(traffic, 4) >= 0.9
    assert traffic.refused_share < 0.08


def followed(road: Road, halved: float, restored: float, times: int = 1) -> tuple[float, float, float]:
    """The shares used in the minutes that begin half a minute after each change, and the share refused."""
    changes: dict[float, Change] = {halved: resize(LIMIT / 2 * times), restored: resize(LIMIT * times)}
    traffic = ask(road, restored + FOLLOWED + 61, changes)
    halved, restored = halved + FOLLOWED, restored + FOLLOWED
    return (
        traffic.answers(halved, halved + 60) / (LIMIT / 2),
        traffic.answers(restored, restored + 60) / LIMIT,
        traffic.refused_share,
    )


@pytest.mark.parametrize("asks", [1.0, "none"])
@pytest.mark.parametrize("counted", sorted(set(COUNTED) - {TINY}))
def test_an_undeclared_limit_that_halves_and_doubles_is_followed_within_30_seconds(
    counted: str, asks: RetryAfter
) -> None:
    *shares, refused = followed(Road(quota(counted, asks), DOOR, work=0.3), 90, 210)
    assert min(shares) >= 0.9
    assert refused < 0.1


@pytest.mark.parametrize("counted", STRICT)
@pytest.mark.parametrize("spelling", TELLING)
def test_a_told_limit_that_halves_and_doubles_is_followed_within_30_seconds(spelling: str, counted: str) -> None:
    one = quota(counted, spelling=spelling, tokens=spelling == "mistral-old")
    road = Road(one, DOOR, work=0.3, told_period=told(spelling))
    *shares, refused = followed(road, 90, 185, SIZE if spelling == "mistral-old" else 1)
    assert min(shares) >= 0.9
    assert refused < 0.03


class Closing(Quota):
    """For two seconds it refuses everybody and asks for five minutes."""

    began, asked = 150.0, 300.0

    def take(self, now: float, prompt_tokens: int, max_tokens: int) -> float | None:
        closed = self.began <= now < self.began + 2
        self.retry_after = self.asked if closed else 1.0
        return 1.0 if closed else super().take(now, prompt_tokens, max_tokens)


@pytest.mark.parametrize("counted", sorted(set(COUNTED) - {TINY}))
def test_a_long_retry_after_pauses_all_and_lowers_no_later_pace(counted: str) -> None:
    closing = Closing(quota(counted).allowances)
    again = closing.began + closing.asked
    # The pause begins with the refusal, which may come at the end of the two seconds.
    traffic = ask(Road(closing, DOOR, work=0.3), again + 125)
    assert traffic.answers(closing.began + 3, again) == 0
    assert traffic.answers(again + 2, again + 122) >= 0.9 * 2 * LIMIT


@pytest.mark.parametrize("latency", [0.1, 0.3])
@pytest.mark.parametrize("seed", [0])
@pytest.mark.parametrize("slow", [False, True])
def test_refusals_by_chance_never_strangle_a_route(latency: float, seed: int, *, slow: bool) -> None:
    """A twentieth is refused though there is no limit: each pauses all for a moment, and that is all."""
    door, work = (latency, 0.0) if slow else (DOOR, latency)
    road = Road(Quota([Allowance("requests", 1e9)]), door, work=work, unlucky=0.05, luck=random.Random(seed))
    traffic = ask(road, 120, concurrency=32)
    assert len(traffic.answered) / 120 >= 15


def test_refusals_by_chance_never_wear_a_route_down() -> None:
    """The pace is lowered by chance now and then, and comes back."""
    road = Road(Quota([]), 0.3, unlucky=0.05, luck=random.Random(1))
    traffic = ask(road, 900, concurrency=32)
    assert min(traffic.answers(begin, begin + 120) / 120 for begin in range(300, 900, 120)) >= 20


def test_a_route_without_limits_is_never_slowed() -> None:
    traffic = ask(Road(Quota([]), 0.3), 60, concurrency=100)
    assert traffic.refused == []
    assert len(traffic.answered) >= 0.95 * 60 * 100 / 0.3
