"""What a person sees while a job runs: live on a terminal, a line now and then elsewhere."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tasks.base.repeated import repeated
from tasks.calls.progress import Meter
from tasks.planning.plan import Plan, Rival
from tasks.results.job_file import JobRecord, Totals

LINE_SECONDS = 15.0
MOST_LEFT_OUT = 8


@contextlib.contextmanager
def shown(meter: Meter, console: Console, *, live: bool) -> Iterator[None]:
    """Show the meter while the block runs."""
    began = time.monotonic()
    if live and console.is_terminal:
        with Live(console=console, refresh_per_second=4, get_renderable=lambda: _panel(meter, began)):
            yield
        return
    with repeated(lambda: _line(meter, console, began), LINE_SECONDS):
        yield


def _line(meter: Meter, console: Console, began: float) -> None:
    line = " · ".join(f"{name} {value}" for name, value in _figures(meter, began))
    console.print(line, highlight=False, soft_wrap=True)


def _panel(meter: Meter, began: float) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in _figures(meter, began):
        table.add_row(f"[dim]{name}[/dim]", value)
    return table


def _figures(meter: Meter, began: float) -> list[tuple[str, str]]:
    seconds = max(time.monotonic() - began, 0.001)
    total = max(meter.expected_documents, meter.documents)
    answered = meter.calls + meter.reused
    money = f"${meter.cost:.4f}" if not meter.cost_unknown else "price not known"
    return [
        ("documents", f"{meter.settled:,} of {total:,}" + (f", {meter.failed:,} failed" if meter.failed else "")),
        ("calls", f"{answered:,} of about {max(meter.expected_calls, answered):,}, {meter.reused:,} reused"),
        ("tokens", f"{meter.prompt_tokens:,} in, {meter.completion_tokens:,} out"),
        ("cost", money),
        ("speed", f"{meter.calls * 60 / seconds:,.0f} requests a minute"),
        ("left", _left(meter, answered, seconds)),
        *([("waiting", meter.waiting)] if meter.waiting else []),
    ]


def _left(meter: Meter, answered: int, seconds: float) -> str:
    waiting = meter.expected_calls - answered
    if meter.calls == 0 or waiting < 0:
        return "not known yet"
    return duration(waiting * seconds / meter.calls)


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def show_plan(plan: Plan, console: Console, state: str | None = None) -> None:
    """Print the plan, and where the ledger lies if that isn't beside the results."""
    about = "" if plan.exact else "about "
    tokenizer = plan.tokenizer if plan.tokenizer_exact else f"{plan.tokenizer}: an upper bound, its own isn't at hand"
    error = "" if plan.exact else f" (a sample: within {plan.error:.1%})"
    rows = [
        ("route", f"{plan.model} at {plan.provider}, window {plan.context:,} tokens"),
        *[("pool", part) for part in plan.pool],
        ("tokens by", tokenizer),
        ("strategy", plan.strategy),
        ("documents", f"{plan.documents:,}{_less(plan)}"),
        *[("unreadable", f"{count:,} {reason}") for reason, count in plan.unreadable_kinds.items()],
        ("work", f"{about}{plan.chunks:,} chunks, {plan.calls:,} calls{_reused(plan)}"),
        ("tokens", f"{about}{plan.prompt_tokens:,} in, {_out(plan)}{error}"),
        ("price", _price(plan)),
        ("time", f"about {duration(plan.seconds)} under the limits"),
        *[("or at", _rival(rival)) for rival in plan.rivals],
        *[("ledger in", place) for place in [state] if place],
        *[("left out", f"{label}: {why}") for label, why in list(plan.left_out.items())[:MOST_LEFT_OUT]],
        *[("note", note) for note in plan.notes],
    ]
    _print(rows, console)


def _out(plan: Plan) -> str:
    return f"about {plan.completion_expected:,} out, at most {plan.completion_tokens:,}"


def _less(plan: Plan) -> str:
    parts = [(plan.unreadable, "unreadable"), (plan.unchanged, "done already")]
    return "".join(f", {count:,} of them {words}" for count, words in parts if count)


def _reused(plan: Plan) -> str:
    return f"; {plan.kept_answers:,} answers are there already" if plan.kept_answers else ""


def _rival(rival: Rival) -> str:
    price = "price not known" if rival.price_expected is None else f"about ${rival.price_expected:.4f}"
    return f"{rival.route}: {price}, {rival.calls:,} calls, window {rival.context:,}, {duration(rival.seconds)}"


def _print(rows: list[tuple[str, str]], console: Console) -> None:
    """Print facts in lines that are never wrapped: they are pasted and searched."""
    for name, value in rows:
        console.print(f"  {name:<12}{value}", markup=False, highlight=False, soft_wrap=True)


def _price(plan: Plan) -> str:
    if plan.price_low is None or plan.price_high is None:
        return f"not known at {', '.join(plan.unpriced)}: give --price IN/OUT (USD per million tokens) to see one"
    if plan.price_high == 0:
        return f"nothing: {plan.price_source if plan.calls else 'there is nothing to ask'}"
    return f"${plan.price_low:.4f} to ${plan.price_high:.4f}, about ${plan.price_expected:.4f}, by {plan.price_source}"


def show_summary(
    record: JobRecord,
    meter: Meter,
    output: str,
    console: Console,
    state: str | None = None,
    page: str | None = None,
) -> None:
    """Print what the job came to, where its ledger and page lie, what went wrong first, and the next step."""
    totals = record.totals
    counted = ", ".join(f"{getattr(totals, name):,} {name}" for name in ("done", "partial", "failed", "unchanged"))
    rows = [
        ("job", f"{record.job_id}: {record.status}"),
        ("documents", f"{totals.documents:,}: {counted}"),
        ("calls", f"{totals.calls:,}, {totals.reused_calls:,} of them reused{_planned(record, 'calls')}"),
        (
            "tokens paid",
            f"{totals.prompt_tokens:,} in{_planned(record, 'prompt_tokens')}, {totals.completion_tokens:,} out",
        ),
        ("cost", f"{_cost(totals.cost_usd, meter)}{_planned_cost(record)}"),
        *([("lost", _lost(totals))] if totals.lost_calls else []),
        *([("this run", _paid(meter))] if meter.calls and record.status != "done" else []),
        ("time", duration(totals.seconds)),
        *([("not reached", f"{_waiting(record, meter):,} documents")] if record.status != "done" else []),
        *(("ledger in", place) for place in [state] if place),
        *([("pruned", f"{meter.pruned:,} documents that have gone from the inputs")] if meter.pruned else []),
        *(("trouble", trouble) for trouble in meter.troubles),
        *(("page", place) for place in [page] if place),
        ("next", _next(record, output)),
    ]
    _print(rows, console)


def _lost(totals: Totals) -> str:
    """Return the line about lost answers, which may have been paid for."""
    cost = f": up to ${totals.lost_cost_usd:.4f} more" if totals.lost_cost_usd else ""
    return f"{totals.lost_calls:,} answers never came, or couldn't be read, and may have been paid for{cost}"


def _paid(meter: Meter) -> str:
    """What was paid in this run, for documents that aren't done yet too."""
    return f"{meter.calls:,} calls, {meter.prompt_tokens:,} tokens in, {meter.completion_tokens:,} out"


def _planned(record: JobRecord, name: str) -> str:
    return f" (planned: {record.plan[name]:,})" if record.plan and _is_whole(record.plan) else ""


def _is_whole(plan: Mapping[str, Any]) -> bool:
    """Whether a plan is of all that a job does, not of what was left of it."""
    return not plan["kept_answers"] and not plan["unchanged"]


def _planned_cost(record: JobRecord) -> str:
    plan = record.plan
    if not plan or plan["price_low"] is None or not _is_whole(plan):
        return ""
    return f" (planned: ${plan['price_low']:.4f} to ${plan['price_high']:.4f})"


def _cost(cost: float | None, meter: Meter) -> str:
    """Return the cost in words, with the number of calls of unknown price."""
    if cost is not None:
        return f"${cost:.4f}"
    known = f", ${meter.cost:.4f} for the others" if meter.cost else ""
    return f"not known: no price for {meter.cost_unknown:,} of this run's calls{known}"


def _waiting(record: JobRecord, meter: Meter) -> int:
    """Return the number of documents that a stopped job hasn't reached."""
    return max(0, meter.expected_documents - record.totals.documents)


def _next(record: JobRecord, output: str) -> str:
    """The line to type: the results, the failures, or the same command again."""
    if record.status == "failed":
        return "mend that and give the command again"
    if record.status == "paused":
        return "the same command goes on where it stopped; what is done is kept"
    if record.totals.failed or record.totals.partial:
        return query(output, "failures", "document_id, error_kind, error")
    if record.flow == "embed":
        return query(output, "chunks", "document_id, position, text, embedding")
    return query(output, "documents", "document_id, output")


def query(output: str, table: str, columns: str) -> str:
    """Return a line that reads a table: DuckDB reads a bucket by the same package and keys as we."""
    sql = f"select {columns} from '{output.rstrip('/')}/{table}/*.parquet'"
    scheme, remote, _ = output.partition("://")
    by = f"import fsspec as f; duckdb.register_filesystem(f.filesystem('{scheme}')); " if remote else ""
    return f"""python -c "import duckdb; {by}duckdb.sql(\\"{sql}\\").show()" """
