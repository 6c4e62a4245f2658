"""Give documents labels of a list: `python -m flows.classify INPUT… [options]`."""

from prefect import flow

from tasks.command import leave, main
from tasks.prompting.options import ClassifyOptions, Inputs
from tasks.results.result_set import ResultSet
from tasks.run import answer_shards, claimed_job, conclude


@flow(
    flow_run_name="classify into {options.output}",
    persist_result=False,
)
def classify(inputs: Inputs, options: ClassifyOptions) -> ResultSet:
    """Plan the job, classify its documents shard by shard, and conclude it.

    Each document gets a label in the column `label`, or a list in `labels`; the chunks of
    a long one vote. Returns where the tables lie, and what the job came to. Raises
    UserMistake for inputs or options that can't be.

    Args:
        inputs: Files, folders, globs, tables (with a text column), or URLs of them.
        options: The flags of the command line by their names.
    """
    with claimed_job("classify", inputs, options) as job:
        answer_shards(job)
        return conclude(job)


if __name__ == "__main__":
    leave(main("classify", __doc__, classify))
