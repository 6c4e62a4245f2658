"""Which of several routes is best for a job: by what it would cost there, or by how fast it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
# Characters of a prompt up to which each of a route's latencies holds; the last one is over all.
SIZES = (2_000, 4_000, 8_000, 16_000, 32_000)


@dataclass(frozen=True, slots=True)
class Offer(Generic[T]):
    """A route with what the job would cost there in USD, and its seconds a call; None is not known."""

    route: T
    cost: float | None
    latency: float | None
    average: float | None
    context: int

    def measure(self, routing: str) -> float | None:
        """Return the value that a routing ranks by; less is better."""
        return {"price": self.cost, "perf": self.latency, "perf-avg": self.average}[routing]


def ranked(offers: Sequence[Offer[T]], routing: str) -> list[Offer[T]]:
    """Return the offers, best first; what isn't known comes last. Of equals the cheaper, then the wider window.

    The order given is kept where nothing tells them apart.
    """

    def key(offer: Offer[T]) -> tuple[bool, float, bool, float, int]:
        measure = offer.measure(routing)
        return measure is None, measure or 0.0, offer.cost is None, offer.cost or 0.0, -offer.context

    return sorted(offers, key=key)


def weights(offers: Sequence[Offer[T]], routing: str) -> list[float]:
    """Return the share of a job that each route of a pool is to take, as far as its limits allow.

    A route that is twice as expensive or slow gets half as much; an unknown one counts as the worst known.
    """
    known = [measure for offer in offers if (measure := offer.measure(routing))]
    if not known:
        return [1.0 / len(offers)] * len(offers)
    least, most = min(known) / 10, max(known)
    measures = [offer.measure(routing) for offer in offers]
    shares = [1.0 / max(most if measure is None else measure, least) for measure in measures]
    return [share / sum(shares) for share in shares]


def latency_at(latencies: Sequence[float | None], characters: float) -> float | None:
    """Return the seconds that a prompt of so many characters takes, by the size it falls into; None where not told."""
    if not latencies:
        return None
    index = next((number for number, size in enumerate(SIZES) if characters <= size), len(SIZES) - 1)
    told = latencies[index] if index < len(latencies) else None
    return told if told is not None else average(latencies)


def average(latencies: Sequence[float | None]) -> float | None:
    """Return the seconds over all sizes: the overall value, which is the last, or else the mean of the known ones."""
    if len(latencies) > len(SIZES) and latencies[len(SIZES)] is not None:
        return latencies[len(SIZES)]
    known = [seconds for seconds in latencies if seconds is not None]
    return sum(known) / len(known) if known else None
