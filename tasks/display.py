"""What a person sees while a job runs: live on a terminal, a line now and then elsewhere."""

import contextlib
import threading
import time
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tasks.jobs.meter import Meter
from tasks.jobs.plan import Plan
from tasks.results.job_file import JobRecord

LIVE_SECONDS = 0.5
LINE_SECONDS = 15.0


@contextlib.contextmanager
def shown(meter: Meter, console: Console, *, live: bool) -> Iterator[None]:
    """Show the meter while the block runs."""
    began = time.monotonic()
    done = threading.Event()
    if live and console.is_terminal:
        with Live(console=console, refresh_per_second=4, get_renderable=lambda: _panel(meter, began)):
            yield
        return
    thread = threading.Thread(target=_lines, args=(meter, console, began, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _lines(meter: Meter, console: Console, began: float, done: threading.Event) -> None:
    while not done.wait(LINE_SECONDS):
        console.print(" · ".join(f"{name} {value}" for name, value in _figures(meter, began)), highlight=False)


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


def show_plan(plan: Plan, console: Console) -> None:
    """Print the plan as a table."""
    about = "" if plan.exact else "about "
    table = Table(show_header=False, box=None, padding=(0, 2))
    tokenizer = plan.tokenizer if plan.tokenizer_exact else f"{plan.tokenizer}: an upper bound, its own isn't at hand"
    rows = [
        ("route", f"{plan.model} at {plan.provider}, window {plan.context:,} tokens"),
        ("tokens counted by", tokenizer),
        ("strategy", plan.strategy),
        ("documents", f"{plan.documents:,}" + (f", {plan.unreadable:,} of them unreadable" if plan.unreadable else "")),
        ("chunks, calls", f"{about}{plan.chunks:,} chunks, {plan.calls:,} calls"),
        ("tokens", f"{about}{plan.prompt_tokens:,} in, at most {plan.completion_tokens:,} out"),
        ("price", _price(plan)),
        ("time", f"about {duration(plan.seconds)} under the limits"),
    ]
    for name, value in rows:
        table.add_row(f"[dim]{name}[/dim]", value)
    console.print(table, highlight=False)


def _price(plan: Plan) -> str:
    if plan.price_low is None or plan.price_high is None:
        return "not known: give --price IN/OUT (USD per million tokens) to see one"
    return f"${plan.price_low:.4f} to ${plan.price_high:.4f} by {plan.price_source}"


def show_summary(record: JobRecord, output: str, console: Console) -> None:
    """Print what the job came to, and the next step."""
    totals = record.totals
    cost = "not known" if totals.cost_usd is None else f"${totals.cost_usd:.4f}"
    table = Table(show_header=False, box=None, padding=(0, 2))
    rows = [
        ("job", f"{record.job_id}: {record.status}" + (f" – {record.reason}" if record.reason else "")),
        (
            "documents",
            f"{totals.documents:,}: {totals.done:,} done, {totals.partial:,} partial, "
            f"{totals.failed:,} failed, {totals.unchanged:,} unchanged",
        ),
        ("calls", f"{totals.calls:,}, {totals.reused_calls:,} of them reused"),
        ("tokens paid", f"{totals.prompt_tokens:,} in, {totals.completion_tokens:,} out"),
        ("cost", cost),
        ("time", duration(totals.seconds)),
    ]
    for name, value in rows:
        table.add_row(f"[dim]{name}[/dim]", value)
    console.print(table, highlight=False)
    console.print("next:", style="dim", end=" ")
    failed = totals.failed or totals.partial
    what = "document_id, error_kind, error" if failed else "document_id, output"
    where = "failures" if failed else "documents"
    console.print(f"""duckdb -c "select {what} from '{output}/{where}/*.parquet'" """, highlight=False, soft_wrap=True)
