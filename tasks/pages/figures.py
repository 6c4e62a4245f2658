"""Figures as a page shows them: short, in one form everywhere; what isn't known is a dash."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

NOTHING = "\N{EN DASH}"
MINUTE, HOUR, DAY = 60, 3600, 86400


def count(value: float | None) -> str:
    """Return a whole number with commas between thousands."""
    return NOTHING if value is None else f"{value:,.0f}"


def short(value: float | None) -> str:
    """Return a whole number; from a hundred million on in millions."""
    return count(value) if value is None or value < 1e8 else f"{value / 1e6:,.1f} M"


def money(usd: float | None) -> str:
    """Return USD, with as many digits as it takes to see a small sum."""
    if usd is None:
        return NOTHING
    if usd == 0:
        return "$0"
    digits = 2 if abs(usd) >= 1 else min(8, 2 - math.floor(math.log10(abs(usd))))
    return f"${usd:,.{digits}f}"


def milliseconds(value: float | None) -> str:
    """Return a latency in ms, or from ten seconds on in s."""
    if value is None:
        return NOTHING
    return f"{value:,.0f} ms" if value < 10_000 else f"{value / 1000:,.1f} s"


def duration(seconds: float | None) -> str:
    """Return a time as people say it."""
    if seconds is None:
        return NOTHING
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 90 * MINUTE:
        return f"{seconds / MINUTE:.0f} min"
    return f"{seconds / HOUR:.1f} h" if seconds < 2 * DAY else f"{seconds / DAY:.1f} days"


def share(value: float | None) -> str:
    """Return a share (0 to 1) in per cent; only a whole one is shown as 100 %."""
    if value is None:
        return NOTHING
    if value >= 1 or value <= 0:
        return f"{value:.0%}".replace("%", " %")
    digits = 2 if value > 0.99 or value < 0.001 else 1
    part = min(max(value * 100, 10.0**-digits), 100 - 10.0**-digits)
    return f"{part:.{digits}f} %"


def portion(value: float | None) -> str:
    """Return a measure between 0 and 1."""
    return NOTHING if value is None else f"{value:.2f}"


def rate(value: float | None) -> str:
    """Return a speed: one decimal below a hundred."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def moment(value: datetime | None) -> str:
    """Return a time in UTC, to the second."""
    return NOTHING if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def day(value: datetime | None) -> str:
    """Return a date in UTC."""
    return NOTHING if value is None else f"{value.astimezone(UTC):%Y-%m-%d}"


def number(value: float | str | None) -> str:
    """Return any number as short as it can be, and words as they are."""
    if value is None or isinstance(value, str):
        return words(value)
    return count(value) if float(value).is_integer() else f"{value:,.4g}"


def words(value: object) -> str:
    """Return a value as text; None is a dash."""
    return NOTHING if value is None or value == "" else str(value)


FIGURES: Mapping[str, Callable[[Any], str]] = {
    one.__name__: one
    for one in (count, short, money, milliseconds, duration, share, portion, rate, moment, day, number, words)
}
