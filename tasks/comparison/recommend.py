"""Which route to take, in words: the cheapest, the fastest, and the best of those that no other beats in both.

Only sound routes count: those that answered about as much of the sample as the
one that answered most. Differences below a cent or a minute are ignored, so that they don't decide
about a small job; beyond that, twice the price is worth it for more than twice the speed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tasks.comparison.comparison_records import Bound, Compared, Recommendation
from tasks.comparison.humanize import money, span, times

# The share of the sample by which a sound route may fall short of the soundest.
SHORTFALL = 0.05
CENT, MINUTE = 0.01, 60.0
# ROUGE-L, or the like, below which two routes are equally near to the reference.
NEAR = 0.02
UNDECIDED = Recommendation(None, None, None, (), ())
HELD_UP: dict[Bound, str] = {
    "latency": "the time of its calls",
    "requests": "its requests a minute",
    "tokens": "its tokens a minute",
}


def recommend(routes: Sequence[Compared]) -> tuple[list[Compared], Recommendation]:
    """Return the routes, with those on the front marked, and what is recommended."""
    usable = sound(routes)
    front = sorted(_front(usable), key=lambda one: (_cost(one), _time(one)))
    names = {one.route for one in front}
    marked = [replace(one, on_front=one.route in names) for one in routes]
    cheapest, fastest, best = _cheapest(usable), _fastest(usable), _best(front, usable)
    words = tuple(_words(routes, usable, front, best))
    labels = tuple(one.route for one in front)
    return marked, Recommendation(_label(cheapest), _label(fastest), _label(best), labels, words)


def _label(one: Compared | None) -> str | None:
    return one.route if one else None


def sound(routes: Sequence[Compared]) -> list[Compared]:
    """Return the routes that answered something, and of the sample about as much as the soundest."""
    most = max((one.measured.done_share for one in routes), default=0.0)
    return [one for one in routes if one.measured.done and one.measured.done_share >= most - SHORTFALL]


def _cost(one: Compared) -> float:
    return float("inf") if one.projected.cost_usd is None else one.projected.cost_usd


def _time(one: Compared) -> float:
    return float("inf") if one.projected.seconds is None else one.projected.seconds


def _front(routes: Sequence[Compared]) -> list[Compared]:
    """Return the routes of known price that no other beats: as cheap and as fast, and one of them more so."""
    known = [one for one in routes if one.projected.cost_usd is not None and one.projected.seconds is not None]
    return [one for one in known if not any(_beats(other, one) for other in known)]


def _beats(one: Compared, other: Compared) -> bool:
    mine, theirs = (_cost(one), _time(one)), (_cost(other), _time(other))
    return mine[0] <= theirs[0] and mine[1] <= theirs[1] and mine != theirs


def _cheapest(routes: Sequence[Compared]) -> Compared | None:
    priced = [one for one in routes if one.projected.cost_usd is not None]
    return min(priced, key=lambda one: (_cost(one), _time(one)), default=None)


def _fastest(routes: Sequence[Compared]) -> Compared | None:
    timed = [one for one in routes if one.projected.seconds is not None]
    return min(timed, key=lambda one: (_time(one), _cost(one)), default=None)


def _best(front: Sequence[Compared], usable: Sequence[Compared]) -> Compared | None:
    """Return the route of the front with the smallest price times time; where no price is known, the fastest."""
    if not front:
        return _fastest(usable)

    def key(one: Compared) -> tuple[float, float, float, float]:
        product = max(_cost(one), CENT) * max(_time(one), MINUTE)
        # Of equals the one that is nearer to the reference, or on whose answers more agree.
        nearness = one.measured.rouge_l if one.measured.rouge_l is not None else one.measured.agreement
        return round(product, 9), -round((nearness or 0.0) / NEAR), _cost(one), _time(one)

    return min(front, key=key)


def _words(
    routes: Sequence[Compared], usable: Sequence[Compared], front: Sequence[Compared], best: Compared | None
) -> Iterator[str]:
    cheapest, fastest = _cheapest(usable), _fastest(usable)
    if best is None:
        yield "no route is recommended: none answered a document of the sample"
    else:
        yield f"recommended: {best.route}: {_all(best)}; {_why(best, front, usable)}"
    if cheapest is not None:
        yield f"cheapest: {cheapest.route}: {_all(cheapest)}; the sample cost {money(cheapest.measured.cost_usd)}"
    if fastest is not None:
        yield f"fastest: {fastest.route}: {_all(fastest)}; {_speed(fastest)}"
    yield from _nearest(usable, best)
    for one in routes:
        if one not in usable:
            yield f"left aside: {one.route}: {_unsound(one)}"
    unpriced = [one.route for one in usable if one.projected.cost_usd is None]
    if unpriced:
        yield f"price not known: {', '.join(unpriced)}: give --price {unpriced[0]}=IN/OUT (USD per million tokens)"


def _all(one: Compared) -> str:
    """Say what all documents come to, and what holds them up."""
    projected = one.projected
    held = f", held up by {HELD_UP[projected.bound_by]}" if projected.bound_by else ""
    count = "the document" if projected.documents == 1 else f"all {projected.documents:,} documents"
    about = "about " if projected.cost_usd else ""
    return f"{count} for {about}{money(projected.cost_usd)} in about {span(projected.seconds)}{held}"


def _speed(one: Compared) -> str:
    measured = one.measured
    p50, p90 = (span(None if value is None else value / 1000) for value in (measured.latency_p50, measured.latency_p90))
    return f"half of its calls took up to {p50}, nine in ten up to {p90}"


def _why(best: Compared, front: Sequence[Compared], usable: Sequence[Compared]) -> str:
    """Compare the best route with the cheapest and the fastest of the front."""
    if len(usable) == 1:
        return "no other answered as much of the sample"
    if best not in front:
        return "no price is known, so the fastest is taken"
    # From the cheapest, which is the slowest of them, to the fastest.
    ends = [one for one in (front[0], front[-1]) if one is not best]
    return "; ".join(_against(best, other) for other in ends) or "no other of known price is cheaper or faster"


def _against(best: Compared, other: Compared) -> str:
    """Return another route's time and price in words, relative to those of the best."""
    cost, time = (_cost(best), _cost(other)), (_time(best), _time(other))
    if max(cost) < CENT and max(time) < MINUTE:
        return f"{other.route} differs by less than a cent and a minute"
    if cost == time or (cost[0] == cost[1] and time[0] == time[1]):
        return f"{other.route} costs and takes as much"
    if other.projected.cost_usd and best.projected.cost_usd:
        return f"{other.route} takes {times(*time)} as long for {times(*cost)} the price"
    return f"{other.route} takes {times(*time)} as long for {money(other.projected.cost_usd)}"


def _nearest(usable: Sequence[Compared], best: Compared | None) -> Iterator[str]:
    """Say whose answers are nearest to the reference, where the one that is recommended isn't it."""
    scored = [(one.measured.rouge_l, one) for one in usable if one.measured.rouge_l is not None]
    if not scored:
        return
    score, nearest = max(scored, key=lambda pair: pair[0])
    if best is None or best.measured.rouge_l is None or best is nearest:
        yield f"nearest to the reference: {nearest.route}: ROUGE-L {score:.2f}"
    else:
        mine = best.measured.rouge_l
        yield f"nearest to the reference: {nearest.route}: ROUGE-L {score:.2f}, where {best.route} has {mine:.2f}"


def _unsound(one: Compared) -> str:
    measured = one.measured
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(measured.failures.items(), key=lambda kv: -kv[1]))
    done = f"{measured.done:,} of {measured.documents:,} documents of the sample were done"
    return done + (f" ({kinds})" if kinds else "") + (f": {measured.stopped}" if measured.stopped else "")
