"""What tokens cost. An unknown price is None, never zero."""

import math
from dataclasses import dataclass
from datetime import date

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens, in and out, with the day and place it was read."""

    input: float
    output: float
    checked: date | None = None
    source: str = ""

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the price in USD of one call."""
        return (prompt_tokens * self.input + completion_tokens * self.output) / MILLION


def parse_price(text: str) -> Price:
    """Read `IN/OUT`, USD per million tokens, as `--price` takes it.

    Raises ValueError for anything else.
    """
    parts = [float(part) for part in text.split("/")]
    if len(parts) != 2 or not all(math.isfinite(part) and part >= 0 for part in parts):
        raise ValueError(text)
    return Price(parts[0], parts[1], source="--price")
