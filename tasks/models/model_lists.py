"""A model as a provider's own list tells it."""

from typing import NamedTuple


class Listed(NamedTuple):
    """One record; what the list doesn't state, or states in an unknown unit, is None.

    Windows and answers are in tokens, prices in USD per million tokens. `upstream` is the
    provider behind an aggregator; `latency` is in seconds by prompt size (ranking.SIZES), then
    overall. `is_free`: the list calls the model free, besides giving a price of 0.
    """

    id: str
    context: int | None = None
    max_answer: int | None = None
    input_price: float | None = None
    output_price: float | None = None
    kind: str | None = None
    available: bool | None = None
    upstream: str | None = None
    latency: tuple[float | None, ...] = ()
    is_free: bool = False

    @property
    def key(self) -> tuple[str | None, str]:
        """The identity of the record within its list."""
        return self.upstream, self.id.lower()
