"""The statistics of the history, on a terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.monitoring.health_records import Health, RouteHealth, Skipped

COLUMNS = ("route", "kind", "now", "hour", "day", "week", "p50 s", "p90 s", "first s", "tokens/s", "USD/M", "errors")
COLOURS = {"up": "green", "down": "red", "unknown": "dim"}
MOST_SKIPPED = 10
WIDTH = 160


def show_health(health: Health, console: Console) -> None:
    """Print a line for each route, then the advice and the skipped probes."""
    table = Table(box=None, header_style="bold")
    for place, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if place < 3 else "right", no_wrap=True)
    for route in sorted(health.routes, key=lambda one: (not one.in_use, one.label)):
        table.add_row(*_cells(route))
    wide = console if console.is_terminal else Console(file=console.file, width=WIDTH)
    wide.print(table)
    lines = [f"{health.probes:,} probes sent, ${health.spent_usd:.6f} spent; {health.events:,} events in the history"]
    lines += [f"advice: {one.title}: {one.because}: {one.flag}" for one in health.advice]
    lines += [f"not asked: {_skipped(one)}" for one in health.skipped[:MOST_SKIPPED]]
    more = len(health.skipped) - MOST_SKIPPED
    lines += [f"and {more:,} more"] if more > 0 else []
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _cells(route: RouteHealth) -> list[Text | str]:
    price = f"{route.price_in:g}/{route.price_out or 0:g}" if route.price_in is not None else "?"
    errors = ", ".join(f"{one.kind} {one.count:,}" for one in route.errors[:2])
    uptime = [_percent(share) for share in (route.uptime.hour, route.uptime.day, route.uptime.week)]
    times = [_seconds(value) for value in (route.latency_p50, route.latency_p90, route.first_token_p50)]
    speed = f"{route.tokens_per_second:.0f}" if route.tokens_per_second is not None else ""
    name = Text(f"{'* ' if route.in_use else '  '}{route.label}")
    return [name, route.kind, Text(route.state, COLOURS[route.state]), *uptime, *times, speed, price, Text(errors)]


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _seconds(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{milliseconds / 1000:.2f}"


def _skipped(one: Skipped) -> str:
    return f"{one.provider}/{one.model}: {one.reason}" if one.provider else one.reason
