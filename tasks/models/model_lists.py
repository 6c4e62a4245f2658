"""A model as a provider's own list tells it."""

from typing import NamedTuple


class Listed(NamedTuple):
    """One record; what the list doesn't tell, or tells in an unknown unit, is None.

    Windows and answers in tokens, prices in USD per million of them. `upstream` is the
    provider behind an aggregator, `latency` seconds by prompt size (ranking.SIZES), then
    over all. One that `is_free` is named so, beside its price of 0.
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
        """What tells it from the others of its list."""
        return self.upstream, self.id.lower()
