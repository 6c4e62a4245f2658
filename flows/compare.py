"""Compare models and providers over a sample of the documents: `python -m flows.compare INPUT… --routes P/M …`."""

from prefect import flow, get_run_logger

from tasks.command import leave
from tasks.compare import ask_routes, main, running_comparison, weigh
from tasks.comparison.comparison_result import ComparisonSet
from tasks.prompting.options import CompareOptions
from tasks.run import claim_result_set


@flow(
    flow_run_name="compare into {options.output}",
    persist_result=False,
)
def compare(inputs: list[str], options: CompareOptions) -> ComparisonSet:
    """Let each route answer the same sample, measure what it made of it, and recommend one.

    Returns where the tables lie, and what the comparison came to. Raises UserMistake for
    inputs or options that can't be.
    """
    with running_comparison(inputs, options) as comparison:
        crashed = claim_result_set(comparison.output)
        get_run_logger().info("%s; %d stale runs marked as crashed", comparison.comparison_id, crashed)
        ask_routes(comparison)
        return weigh(comparison)


if __name__ == "__main__":
    leave(main("compare", __doc__, compare))
