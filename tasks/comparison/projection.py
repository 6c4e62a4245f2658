"""Project a sample's measures onto all documents, in proportion to the work and within the route's limits."""

from tasks.calls.estimate import Expected
from tasks.comparison.comparison_records import Bound, Measured, Projected, Terms

SECONDS_A_MINUTE = 60


def project(terms: Terms, measured: Measured, answered: Expected, whole: Expected, documents: int) -> Projected:
    """Return what all documents would come to at a route.

    `answered` is what was foreseen for those of the sample that were answered, `whole` for all:
    the measured figures grow as these do. Where nothing was answered, nothing can be said.
    """
    if not answered.calls or not measured.latency_mean:
        return Projected(documents, whole.calls, None, None)
    calls = max(1, round(measured.calls * whole.calls / answered.calls))
    cost = None if measured.cost_usd is None else measured.cost_usd * _times(terms, answered, whole)
    tokens = (measured.prompt_tokens + measured.completion_tokens) * _weight(whole) / _weight(answered)
    bounds = list(_bounds(terms, measured, calls, tokens))
    seconds, bound = max(bounds, key=lambda pair: pair[0])
    return Projected(documents, calls, cost, seconds, bound)


def _times(terms: Terms, answered: Expected, whole: Expected) -> float:
    """Return how many times as dear all documents are: by the route's price, or by tokens where that isn't known."""
    if not terms.price_in and not terms.price_out:
        return _weight(whole) / _weight(answered)
    return _price(terms, whole) / _price(terms, answered)


def _price(terms: Terms, expected: Expected) -> float:
    return expected.prompt_tokens * (terms.price_in or 0.0) + expected.completion_tokens * (terms.price_out or 0.0)


def _weight(expected: Expected) -> int:
    return max(1, expected.prompt_tokens + expected.completion_tokens)


def _bounds(terms: Terms, measured: Measured, calls: int, tokens: float) -> "list[tuple[float, Bound]]":
    """Return the seconds that each limit demands: a job takes the longest of them."""
    sent = calls * max(1.0, measured.attempts / measured.calls)
    seconds = (measured.latency_mean or 0.0) / 1000
    found: list[tuple[float, Bound]] = [(max(seconds, calls * seconds / terms.concurrency), "latency")]
    if terms.requests_per_minute:
        found.append((sent * SECONDS_A_MINUTE / terms.requests_per_minute, "requests"))
    if terms.tokens_per_minute:
        found.append((tokens * SECONDS_A_MINUTE / terms.tokens_per_minute, "tokens"))
    return found
