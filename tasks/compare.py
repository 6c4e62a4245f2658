"""A comparison: its command line, and the Prefect side of it: each route's job in the same flow run."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from rich.console import Console

from tasks.artifacts import leave_comparison_page
from tasks.base.settings import Settings
from tasks.command import WAITING_FOR, block_key_of, prefect_server, printed, said, settled
from tasks.comparison.compared_routes import prepare_comparison
from tasks.comparison.comparison_handoff import metered, offer_comparison, take_comparison
from tasks.comparison.comparison_plan import make_comparison_plan
from tasks.comparison.comparison_records import Comparison
from tasks.comparison.comparison_result import ComparisonSet
from tasks.comparison.comparison_tables import COMPARISON_TABLES
from tasks.comparison.humanize import money, span
from tasks.comparison.run_comparison import Comparing, open_comparison
from tasks.prefect_server import block_key
from tasks.prompting.options import CompareOptions
from tasks.results.parts import create_tables
from tasks.run import answer_shards, conclude, running_job
from tasks.running.handoff import offer
from tasks.running.opening import open_job
from tasks.terminal.comparison_display import show_comparison, show_comparison_plan
from tasks.terminal.display import shown
from tasks.terminal.flags import Given, Switches, command_line

RunComparison = Callable[[list[str], CompareOptions], ComparisonSet]


def main(name: str, about: str, run_flow: RunComparison, words: Sequence[str] | None = None) -> int:
    """Run the flow from the command line; return the exit code of the contract."""

    def run(console: Console) -> int:
        return _run(command_line(name, about).parse(words), run_flow, console)

    return settled(run)


def _run(given: Given, run_flow: RunComparison, console: Console) -> int:
    inputs, options, switches = given.inputs, given.of(CompareOptions), given.of(Switches)
    with contextlib.ExitStack() as stack:
        server = None if switches.plan else stack.enter_context(prefect_server())
        compares = prepare_comparison(inputs, options, Settings.read(block_key_of))
        plan = make_comparison_plan(compares, quick=not switches.plan)
        show_comparison_plan(plan, console)
        if server is None:
            return printed(plan.as_json(), as_json=switches.as_json)
        create_tables(options.folder, COMPARISON_TABLES)
        meter = metered(plan)
        console.print(WAITING_FOR[server.port is not None], style="dim", soft_wrap=True)
        stack.enter_context(server.ready())
        with shown(meter, console, live=not switches.no_progress):
            offer_comparison((compares, plan, meter))
            results = run_flow(inputs, options)
    show_comparison(results, meter, console)
    if results.comparison.reason:
        said(console, results.comparison.reason, results.exit_code)
    printed(results.comparison.as_json(), as_json=switches.as_json)
    return results.exit_code


@contextlib.contextmanager
def running_comparison(inputs: Sequence[str], options: CompareOptions) -> Iterator[Comparing]:
    """Hold a comparison for the block."""
    with open_comparison(*take_comparison(inputs, options, Settings.read(block_key))) as comparison:
        yield comparison


def ask_routes(comparison: Comparing) -> None:
    """Let the routes answer the sample one after another, so that none slows down another."""
    for label, prepared in comparison.jobs():
        get_run_logger().info("%s: %d documents", label, len(prepared.sample or ()))
        with open_job(prepared, comparison.meter) as opened:
            offer(opened)
            with running_job(prepared.flow, prepared.inputs, prepared.options) as job:
                answer_shards(job)
                conclude(job)
                comparison.asked(label, job.stopped())


def weigh(comparison: Comparing) -> ComparisonSet:
    """Write the comparison, its page and its artifacts; return its results."""
    results = comparison.conclude()
    record = results.comparison
    for words in filter(None, (record.reason, *record.recommendation.words)):
        get_run_logger().info(words)
    create_markdown_artifact(markdown(record), key="docmill-compare", description=f"Comparison {record.comparison_id}")
    return replace(results, page=leave_comparison_page(comparison.output, record, results.answers))


def markdown(record: Comparison) -> str:
    """Return a comparison as Markdown."""
    names = ("route", "done", "failed", "cost", "p50", "p90", "all documents", "in")
    lines = [f"# compare: {record.status}", "", record.reason or "", ""]
    lines += [f"- {words}" for words in record.recommendation.words]
    lines += ["", f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for one in record.routes:
        got, whole = one.measured, one.projected
        p50, p90 = (span(None if value is None else value / 1000) for value in (got.latency_p50, got.latency_p90))
        cells = (
            one.route,
            got.done,
            got.failed,
            money(got.cost_usd),
            p50,
            p90,
            money(whole.cost_usd),
            span(whole.seconds),
        )
        lines.append(f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)
