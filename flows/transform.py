"""Translate documents, or write them anew by a prompt, part by part: `python -m flows.transform INPUT… [options]`."""

from prefect import flow, get_run_logger

from tasks.command import leave, main
from tasks.prompting.options import Inputs, TransformOptions
from tasks.results.result_set import ResultSet
from tasks.run import answer_shards, claim_result_set, conclude, running_job


@flow(
    flow_run_name="transform into {options.output}",
    persist_result=False,
)
def transform(inputs: Inputs, options: TransformOptions) -> ResultSet:
    """Plan the job, transform its documents shard by shard, and conclude it.

    Of a long document each part is written anew, and the answers are joined as the parts
    were. Returns where the tables lie, and what the job came to. Raises UserMistake for
    inputs or options that can't be.

    Args:
        inputs: Files, folders, globs, tables (with a text column), or URLs of them.
        options: The flags of the command line by their names.
    """
    with running_job("transform", inputs, options) as job:
        crashed = claim_result_set(job.output)
        get_run_logger().info("job %s; %d stale runs marked as crashed", job.ledger.job_id, crashed)
        answer_shards(job)
        return conclude(job)


if __name__ == "__main__":
    leave(main("transform", __doc__, transform, TransformOptions))
