"""Extract typed fields from documents, or run a prompt over them: `python -m flows.extract INPUT… [options]`."""

from prefect import flow

from tasks.command import leave, main
from tasks.prompting.options import ExtractOptions, Inputs
from tasks.results.result_set import ResultSet
from tasks.run import answer_shards, claimed_job, conclude


@flow(
    flow_run_name="extract into {options.output}",
    persist_result=False,
)
def extract(inputs: Inputs, options: ExtractOptions) -> ResultSet:
    """Plan the job, answer its documents shard by shard, and conclude it.

    With a schema every answer is checked against it, and fills typed columns of
    `documents`. Returns where the tables lie, and what the job came to. Raises
    UserMistake for inputs or options that can't be.

    Args:
        inputs: Files, folders, globs, tables (with a text column), or URLs of them.
        options: The flags of the command line by their names.
    """
    with claimed_job("extract", inputs, options) as job:
        answer_shards(job)
        return conclude(job)


if __name__ == "__main__":
    leave(main("extract", __doc__, extract))
