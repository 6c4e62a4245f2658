"""The Prefect side of a comparison: each route's job in the same flow run, and what they come to."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact

from tasks.artifacts import leave_comparison_page
from tasks.comparison.comparison_handoff import take_comparison
from tasks.comparison.comparison_records import Comparison
from tasks.comparison.comparison_result import ComparisonSet
from tasks.comparison.humanize import money, span
from tasks.comparison.run_comparison import Comparing, open_comparison
from tasks.prompting.options import CompareOptions
from tasks.run import answer_shards, conclude, running_job
from tasks.running.handoff import offer
from tasks.running.opening import open_job
from tasks.secrets import block_key


@contextlib.contextmanager
def running_comparison(inputs: Sequence[str], options: CompareOptions) -> Iterator[Comparing]:
    """Hold a comparison for the block."""
    with open_comparison(*take_comparison(inputs, options, keys=block_key)) as comparison:
        yield comparison


def ask_routes(comparison: Comparing) -> None:
    """Let each route answer the sample, one after the other: none is slowed down by another."""
    for label, prepared in comparison.jobs():
        get_run_logger().info("%s: %d documents", label, len(prepared.sample or ()))
        with open_job(prepared, comparison.meter) as opened:
            offer(opened)
            with running_job(prepared.flow, prepared.inputs, prepared.options) as job:
                answer_shards(job)
                conclude(job)
                comparison.asked(label, job.stopped())


def weigh(comparison: Comparing) -> ComparisonSet:
    """Write the comparison, its page and its artifacts; return what the run leaves."""
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
