"""Counts and amounts as providers write them: numbers, or strings of numbers."""

import math

# A count beyond this is nonsense, and no table holds it.
MOST_TOKENS = 2**53
MILLION = 1_000_000


def whole(value: object) -> int | None:
    """Read a count such as 7, "7" or "1,234"; None for anything else."""
    number = amount(str(value).replace(",", ""))
    return int(number) if number is not None and number <= MOST_TOKENS else None


def amount(value: object) -> float | None:
    """Read an amount; None for what is negative, infinite or not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def per_million(value: object, units: float = 1.0) -> float | None:
    """Convert a price per `units` tokens into one per million tokens."""
    price = amount(value)
    return round(price * MILLION / units, 9) if price is not None and units > 0 else None
