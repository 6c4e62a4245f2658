"""The alarms: a route in use that is down, or whose price rose."""

import math
from collections.abc import Iterable, Iterator
from datetime import datetime

from tasks.monitoring.health_records import Alarm, PriceStep, RouteHealth


def alarms(routes: Iterable[RouteHealth], since: datetime, percent: float) -> list[Alarm]:
    """Return the alarms over routes in use: those down now, and those dearer by more than `percent` since a time."""
    return [alarm for route in routes if route.in_use for alarm in _alarms(route, since, percent)]


def _alarms(route: RouteHealth, since: datetime, percent: float) -> Iterator[Alarm]:
    if route.state == "down":
        kinds = f": {route.last_error}" if route.last_error else ""
        fix = "give --fallback P/M, or another --provider"
        yield Alarm("docmill.route.down", route.provider, route.model, f"{route.label} is down{kinds}: {fix}")
    for before, after in zip(route.prices, route.prices[1:], strict=False):
        rise = _rise(before, after)
        if after.since >= since and rise * 100 > percent:
            words = f"{_price(before)} -> {_price(after)} USD per million tokens"
            message = f"{route.label} is dearer ({_share(rise)}): {words}: python -m flows.catalogue lists others"
            yield Alarm("docmill.price.rose", route.provider, route.model, message)


def _rise(before: PriceStep, after: PriceStep) -> float:
    """Return the relative rise of the price, the larger of in and out; negative if it fell."""
    pairs = ((before.price_in, after.price_in), (before.price_out, after.price_out))
    return max((_part(old, new) for old, new in pairs if old is not None and new is not None), default=0.0)


def _part(old: float, new: float) -> float:
    if old == 0:
        return math.inf if new > 0 else 0.0
    # Differences below a thousandth of a per cent are rounding errors.
    return round(new / old - 1, 5)


def _price(step: PriceStep) -> str:
    return "/".join("?" if one is None else f"{one:g}" for one in (step.price_in, step.price_out))


def _share(rise: float) -> str:
    return "it was free" if math.isinf(rise) else f"+{rise:.0%}"
