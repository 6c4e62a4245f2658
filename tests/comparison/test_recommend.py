"""What is recommended, in cases whose answer is plain."""

import random

import pytest

from tasks.comparison.comparison_records import Compared, Recommendation
from tasks.comparison.recommend import recommend
from tests.comparison.made import compared

HOUR = 3600.0


def said(*routes: Compared) -> Recommendation:
    return recommend(routes)[1]


def named(found: Recommendation) -> tuple[str | None, str | None, str | None]:
    return found.cheapest, found.fastest, found.best


def line(found: Recommendation, name: str) -> str:
    return next(words for words in found.words if words.startswith(name))


def test_one_that_is_cheapest_and_fastest_is_all_there_is_to_say() -> None:
    found = said(compared("dear", 9.0, 2 * HOUR), compared("good", 1.0, HOUR), compared("slow", 2.0, 3 * HOUR))
    assert (named(found), found.front) == (("good", "good", "good"), ("good",))
    assert "no other of known price is cheaper or faster" in line(found, "recommended")


def test_the_best_of_a_front_gains_more_than_it_gives_up() -> None:
    cheap, middle, fast = (
        compared("cheap", 1.0, 10 * HOUR),
        compared("middle", 2.0, HOUR),
        compared("fast", 9.0, HOUR / 2),
    )
    found = said(fast, cheap, middle)
    assert (named(found), found.front) == (("cheap", "fast", "middle"), ("cheap", "middle", "fast"))
    assert "cheap takes 10 times as long for 0.5 times the price" in line(found, "recommended")
    assert "fast takes 0.5 times as long for 4.5 times the price" in line(found, "recommended")


def test_a_route_that_another_beats_in_both_is_not_on_the_front() -> None:
    routes = [compared("a", 1.0, 3 * HOUR), compared("beaten", 2.0, 4 * HOUR), compared("b", 2.0, HOUR)]
    marked, found = recommend(routes)
    assert found.front == ("a", "b")
    assert {one.route: one.on_front for one in marked} == {"a": True, "beaten": False, "b": True}


def test_of_equals_the_one_that_more_agree_with_is_taken_and_both_are_on_the_front() -> None:
    found = said(compared("odd", 1.0, HOUR, agreement=0.3), compared("agreed", 1.0, HOUR, agreement=0.9))
    assert found.best == "agreed"
    assert set(found.front) == {"odd", "agreed"}
    assert "odd costs and takes as much" in line(found, "recommended")


def test_where_all_failed_nobody_is_recommended() -> None:
    down = compared("down", None, None, done=0, stopped="nobody answers there", failures={"http_500": 10})
    found = said(down, compared("refused", None, None, done=0, stopped="the key is refused"))
    assert (named(found), found.front) == ((None, None, None), ())
    assert found.words[0] == "no route is recommended: none answered a document of the sample"
    assert "0 of 10 documents of the sample were done (10 http_500): nobody answers there" in found.words[1]


def test_an_unknown_price_is_neither_cheap_nor_on_the_front_but_may_be_fastest() -> None:
    found = said(compared("unpriced", None, HOUR / 9), compared("known", 1.0, HOUR))
    assert (named(found), found.front) == (("known", "unpriced", "known"), ("known",))
    assert "give --price unpriced=IN/OUT" in line(found, "price not known")


def test_where_no_price_is_known_the_fastest_is_taken_and_it_is_said_why() -> None:
    found = said(compared("slow", None, 2 * HOUR), compared("fast", None, HOUR))
    assert named(found) == (None, "fast", "fast")
    assert "no price is known, so the fastest is taken" in line(found, "recommended")


def test_one_route_alone_is_recommended() -> None:
    found = said(compared("only", 1.0, HOUR))
    assert (named(found), found.front) == (("only", "only", "only"), ("only",))
    assert "all 1,000 documents for about $1.00 in about 60 min" in line(found, "recommended")


def test_a_cheap_and_fast_route_that_fails_more_than_others_is_left_aside() -> None:
    bad = compared("bad", 0.1, 60.0, done=7, failures={"empty_answer": 2, "timeout": 1})
    found = said(bad, compared("sound", 5.0, HOUR))
    assert named(found) == ("sound", "sound", "sound")
    assert line(found, "left aside").endswith("7 of 10 documents of the sample were done (2 empty_answer, 1 timeout)")


def test_documents_that_fail_everywhere_are_no_fault_of_a_route() -> None:
    found = said(compared("a", 1.0, HOUR, done=8), compared("b", 2.0, HOUR, done=8))
    assert found.best == "a"
    assert not [words for words in found.words if words.startswith("left aside")]


def test_a_limit_that_holds_a_fast_route_up_makes_it_slow_and_is_named() -> None:
    limited = compared("limited", 1.0, 20 * HOUR, bound="requests", latency_p50=100.0, latency_p90=120.0)
    slower = compared("slower", 1.1, HOUR, latency_p50=3000.0, latency_p90=4000.0)
    found = said(limited, slower)
    assert named(found) == ("limited", "slower", "slower")
    assert "held up by its requests a minute" in line(found, "cheapest")
    assert "half of its calls took up to 3.0 s, nine in ten up to 4.0 s" in line(found, "fastest")


def test_a_small_job_goes_to_the_cheapest_for_seconds_and_cents_are_nothing() -> None:
    found = said(compared("cheap", 0.001, 50.0), compared("fast", 0.009, 1.0))
    assert named(found) == ("cheap", "fast", "cheap")
    assert "fast differs by less than a cent and a minute" in line(found, "recommended")


def test_what_is_free_is_not_worth_any_wait() -> None:
    found = said(compared("free", 0.0, 1000 * HOUR), compared("paid", 0.5, HOUR))
    assert named(found) == ("free", "paid", "paid")
    assert "free takes 1,000 times as long for nothing" in line(found, "recommended")


def test_a_route_nearer_to_the_reference_is_named_beside_the_one_recommended() -> None:
    found = said(compared("cheap", 1.0, HOUR, rouge_l=0.31), compared("dear", 3.0, HOUR, rouge_l=0.46))
    assert found.best == "cheap"
    assert line(found, "nearest") == "nearest to the reference: dear: ROUGE-L 0.46, where cheap has 0.31"


def test_no_routes_at_all_are_no_defect() -> None:
    assert named(said()) == (None, None, None)


@pytest.mark.parametrize("seed", range(50))
def test_nothing_beats_the_front_and_all_that_is_named_is_what_it_is_called(seed: int) -> None:
    luck = random.Random(seed)
    costs = [None, 0.0, 0.5, 1.0, 2.0, 8.0]
    routes = [
        compared(f"r{one}", luck.choice(costs), luck.choice([10.0, 60.0, 600.0, HOUR]), done=luck.choice([0, 8, 10]))
        for one in range(luck.randint(1, 7))
    ]
    _, found = recommend(routes)
    usable = [one for one in routes if one.measured.done and one.measured.done >= max(r.measured.done for r in routes)]
    priced = [one for one in usable if one.projected.cost_usd is not None]
    points = {one.route: (one.projected.cost_usd or 0.0, one.projected.seconds or 0.0) for one in priced}
    front = {
        name
        for name, mine in points.items()
        if not any(a <= mine[0] and b <= mine[1] and (a, b) != mine for a, b in points.values())
    }
    assert set(found.front) == front
    assert (found.cheapest is None) == (not priced)
    assert found.best in front if front else found.best == found.fastest
    if found.cheapest:
        assert points[found.cheapest][0] == min(cost for cost, _ in points.values())
