"""What a flow returns: the location of its tables, and the job's outcome."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.base.errors import JobPaused
from tasks.results.job_file import JobRecord, Totals
from tasks.results.location import Folder
from tasks.results.schemas import Schemas


@dataclass(frozen=True, slots=True)
class ResultSet:
    """A result set after a run: its location, a glob of Parquet files for each table, the job, and the exit code.

    `tables` are by name: `documents`, `calls`, `failures`, `sections`, and for embed `chunks`.
    DuckDB, Polars and `datasets` take a glob as it is, pandas and pyarrow its folder; in a bucket it is a URL.
    `page` is the URL of the job's page, if it could be made.
    """

    place: str
    tables: Mapping[str, str]
    job: JobRecord
    exit_code: int
    page: str | None = None

    @property
    def totals(self) -> Totals:
        """The job's totals over all its runs."""
        return self.job.totals

    def raise_for_status(self) -> "ResultSet":
        """Return the result set if the job is done; failed documents are in `totals` and in the table `failures`.

        Raises JobPaused with the reason if it isn't: calling the flow again with the same arguments resumes it.
        """
        if self.job.status != "done":
            raise JobPaused(f"{self.place}: {self.job.reason}")
        return self


def result_set(folder: Folder, schemas: Schemas, job: JobRecord, exit_code: int) -> ResultSet:
    """Return what a run left in a folder: a table for each schema."""
    place = folder.location if folder.path is None else str(folder.path.absolute())
    return ResultSet(place, {table: f"{place}/{table}/*.parquet" for table in schemas}, job, exit_code)
