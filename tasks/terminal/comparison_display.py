"""What a person sees of a comparison: its plan, a table of the routes, and the recommendation."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from tasks.calls.progress import Meter
from tasks.comparison.comparison_plan import ComparisonPlan, RoutePlan
from tasks.comparison.comparison_records import Compared
from tasks.comparison.comparison_result import ComparisonSet
from tasks.comparison.humanize import money, span
from tasks.terminal.display import MOST_LEFT_OUT, query

PLANNED = ("route", "window", "calls", "about", "at most", "all documents", "in about", "price by")
MEASURED = (
    "route",
    "done",
    "failed",
    "cost",
    "p50",
    "p90",
    "tokens/s",
    "characters",
    "agree",
    "ROUGE-L",
    "all for",
    "in",
)


def show_comparison_plan(plan: ComparisonPlan, console: Console) -> None:
    """Print what each route will come to over the sample, and would over all documents."""
    about = "" if plan.exact else "about "
    _say(console, "documents", f"{plan.documents:,}, {about}{plan.characters:,} characters")
    _say(console, "sample", f"{len(plan.sample):,}: {_named(plan.sample)}")
    _say(console, "at most", f"{plan.calls:,} calls, {money(plan.price_most)} at all routes together")
    for label, why in list(plan.left_out.items())[:MOST_LEFT_OUT]:
        _say(console, "left out", f"{label}: {why}")
    _table(PLANNED, map(_planned, plan.routes), console)


def show_comparison(results: ComparisonSet, meter: Meter, console: Console) -> None:
    """Print the routes with their measures, what was paid in this run, and what is recommended."""
    record = results.comparison
    _table(MEASURED, map(_measured, record.routes), console)
    _say(console, "comparison", f"{record.comparison_id}: {record.status}")
    _say(console, "paid", f"{money(record.cost_usd)}; in this run {meter.calls:,} calls")
    for note in (*record.notes, *(f"{trouble}" for trouble in meter.troubles)):
        _say(console, "note", note)
    for words in record.recommendation.words:
        name, _, rest = words.partition(": ")
        _say(console, name if rest else "", rest or words)
    if results.page:
        _say(console, "page", results.page)
    _say(console, "next", query(results.place, "answers", "document_id, route, output"))


def _named(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (" …" if len(names) > most else "")


def _planned(one: RoutePlan) -> tuple[str, ...]:
    terms = one.terms
    by = "not known" if terms.price_in is None else f"{terms.price_in:g}/{terms.price_out:g}"
    calls = f"{one.sample.calls:,}" + (f", {one.unchanged:,} done" if one.unchanged else "")
    costs = (money(one.price_expected), money(one.price_most), money(one.whole_price))
    return (terms.route, f"{terms.window:,}", calls, *costs, span(one.whole_seconds), by)


def _measured(one: Compared) -> tuple[str, ...]:
    got, whole = one.measured, one.projected
    return (
        one.route + (" *" if one.on_front else ""),
        f"{got.done:,} of {got.documents:,}",
        f"{got.failed + got.partial:,}",
        money(got.cost_usd),
        *(span(None if value is None else value / 1000) for value in (got.latency_p50, got.latency_p90)),
        *(_number(value, digits) for value, digits in ((got.tokens_per_second, 0), (got.answer_characters, 0))),
        *(_number(value, 2) for value in (got.agreement, got.rouge_l)),
        money(whole.cost_usd),
        span(whole.seconds),
    )


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _say(console: Console, name: str, value: str) -> None:
    """Print a fact in a line that is never wrapped."""
    console.print(f"  {name:<16}{value}", markup=False, highlight=False, soft_wrap=True)


def _table(names: Sequence[str], rows: Iterable[Sequence[str]], console: Console) -> None:
    table = Table(box=None, header_style="bold", pad_edge=True)
    for number, name in enumerate(names):
        table.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    wide = console if console.is_terminal else Console(stderr=True, width=200)
    wide.print(table, highlight=False, markup=False)
