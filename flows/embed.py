"""Embed documents, chunk by chunk: `python -m flows.embed INPUT… [options]`."""

from prefect import flow

from tasks.command import leave, main
from tasks.prompting.options import EmbedOptions, Inputs
from tasks.results.result_set import ResultSet
from tasks.run import answer_shards, claimed_job, conclude


@flow(
    flow_run_name="embed into {options.output}",
    persist_result=False,
)
def embed(inputs: Inputs, options: EmbedOptions) -> ResultSet:
    """Plan the job, embed its documents shard by shard, and conclude it.

    Leaves the table `chunks` with their vectors. Returns where the tables lie, and what
    the job came to. Raises UserMistake for inputs or options that can't be.

    Args:
        inputs: Files, folders, globs, tables (with a text column), or URLs of them.
        options: The flags of the command line by their names.
    """
    with claimed_job("embed", inputs, options) as job:
        answer_shards(job)
        return conclude(job)


if __name__ == "__main__":
    leave(main("embed", __doc__, embed))
