"""What a flow returns: where its tables lie, and what the job came to."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.base.errors import JobPaused
from tasks.results.job_file import JobRecord, Totals
from tasks.results.location import Folder
from tasks.results.schemas import Schemas


@dataclass(frozen=True, slots=True)
class ResultSet:
    """A result set after a run: its place, a glob of Parquet files a table, the job, and the exit code.

    `tables` are by name: `documents`, `calls`, `failures`, `sections`, and of embed `chunks`.
    DuckDB, Polars and `datasets` take a glob as it is, pandas and pyarrow its folder; in a bucket it is a URL.
    `page` is the URL of the job's page, where it could be made.
    """

    place: str
    tables: Mapping[str, str]
    job: JobRecord
    exit_code: int
    page: str | None = None

    @property
    def totals(self) -> Totals:
        """What the job came to, in all its runs."""
        return self.job.totals

    def raise_for_status(self) -> "ResultSet":
        """Return it, where the job came to its end; documents that failed are in `totals`, and in the table `failures`.

        Raises JobPaused with the reason where it is paused: the same call goes on with it.
        """
        if self.job.status != "done":
            raise JobPaused(f"{self.place}: {self.job.reason}")
        return self


def result_set(folder: Folder, schemas: Schemas, job: JobRecord, exit_code: int) -> ResultSet:
    """Return what a run left in a folder: a table for each schema."""
    place = folder.location if folder.path is None else str(folder.path.absolute())
    return ResultSet(place, {table: f"{place}/{table}/*.parquet" for table in schemas}, job, exit_code)
