"""What the flow returns: the location of the tables, and the comparison's results."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.base.errors import JobPaused
from tasks.comparison.comparison_records import ComparedAnswer, Comparison
from tasks.comparison.comparison_tables import COMPARISON_TABLES
from tasks.results.location import Folder


@dataclass(frozen=True, slots=True)
class ComparisonSet:
    """A comparison after a run: its place, a glob of Parquet files a table, its record, the answers, the exit code.

    `tables` are `comparison`, a row a route, and `answers`, a row a document and route.
    `page` is the URL of the comparison's page, where it could be made.
    """

    place: str
    tables: Mapping[str, str]
    comparison: Comparison
    answers: tuple[ComparedAnswer, ...]
    exit_code: int
    page: str | None = None

    def raise_for_status(self) -> "ComparisonSet":
        """Return the comparison if all routes were asked. Raises JobPaused with the reason if it is paused."""
        if self.comparison.status != "done":
            raise JobPaused(f"{self.place}: {self.comparison.reason}")
        return self


def comparison_set(
    folder: Folder, comparison: Comparison, answers: tuple[ComparedAnswer, ...], exit_code: int
) -> ComparisonSet:
    """Return what a run left in a folder."""
    place = folder.location if folder.path is None else str(folder.path.absolute())
    tables = {table: f"{place}/{table}/*.parquet" for table in COMPARISON_TABLES}
    return ComparisonSet(place, tables, comparison, answers, exit_code)
