"""Money and time as people say them."""


def money(usd: float | None) -> str:
    """Return an amount in USD with two decimals, or below $1 with two significant digits."""
    if usd is None:
        return "an unknown price"
    if usd == 0:
        return "nothing"
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.2g}" if usd >= 1e-4 else f"${usd:.1e}"


def span(seconds: float | None) -> str:
    """Return a time with its unit."""
    if seconds is None:
        return "an unknown time"
    if seconds < 0.95:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def times(measure: float, number: float) -> str:
    """Return how many times as much a number is as the measure, above 0."""
    ratio = number / measure
    return f"{ratio:,.0f} times" if ratio >= 9.95 else f"{ratio:.1f} times" if ratio >= 0.95 else f"{ratio:.2g} times"
