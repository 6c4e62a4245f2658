"""A comparison under way: one route's job after the other, and what all of them come to."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from tasks.base.errors import BudgetReached, Interrupted, JobPaused, StorageFailed
from tasks.calls.progress import Meter
from tasks.comparison.answer_similarity import likened
from tasks.comparison.compared_routes import Compares
from tasks.comparison.comparison_plan import ComparisonPlan, expected_over
from tasks.comparison.comparison_records import Compared, Comparison, Status
from tasks.comparison.comparison_result import ComparisonSet, comparison_set
from tasks.comparison.comparison_tables import COMPARISON_TABLES, write_comparison
from tasks.comparison.measured import MeasuredRows, answers, found, measure
from tasks.comparison.projection import project
from tasks.comparison.recommend import UNDECIDED, recommend
from tasks.comparison.spent import has_ended, left_for, paid
from tasks.documents.object_store import shown
from tasks.planning.prepared import Prepared, docmill_version
from tasks.planning.state_location import holding
from tasks.results.job_file import read_json, write_json
from tasks.results.location import Folder
from tasks.results.parts import create_tables

NAME = "comparison.json"


@dataclass(slots=True)
class Comparing:
    """A comparison that holds its result set; `ended` says of each route that was asked why it stopped, or None."""

    compares: Compares
    plan: ComparisonPlan
    meter: Meter
    comparison_id: str
    began: datetime
    ended: dict[str, JobPaused | None] = field(default_factory=dict)
    stopped: JobPaused | None = None

    @property
    def output(self) -> Folder:
        """The place of the result set."""
        return self.compares.options.folder

    def jobs(self) -> Iterator[tuple[str, Prepared]]:
        """Yield the job of each route with what it may spend, until the comparison is stopped."""
        for label, job in self.compares.routes.items():
            if self.stopped is not None:
                return
            # Even with --fresh, a job that ended within this comparison isn't an earlier one, and its answers are used.
            fresh = job.options.fresh and not has_ended(job, self.began)
            changes = {"budget": left_for(label, self.compares, self.began), "fresh": fresh}
            yield label, replace(job, options=job.options.model_copy(update=changes))

    def asked(self, label: str, stopped: JobPaused | None) -> None:
        """Record how a route's job ended; only an interruption or a storage failure stops the other routes."""
        self.ended[label] = stopped
        if isinstance(stopped, Interrupted | StorageFailed):
            self.stop(stopped)

    def stop(self, reason: JobPaused) -> None:
        """Ask no other route."""
        self.stopped = self.stopped or reason

    def conclude(self) -> ComparisonSet:
        """Measure, weigh and write all there is; return what the comparison leaves. Raises StorageFailed."""
        rows = {label: found(job) for label, job in self._routes}
        every = [
            one for label, job in self._routes for one in answers(rows[label], label, job.job_routes[0].route.price)
        ]
        measured = likened(
            [self._compared(label, job, rows[label]) for label, job in self._routes], every, self.compares.references
        )
        routes, said = recommend(measured.routes)
        status, reason = self._status()
        record = replace(
            self.record(status, reason, datetime.now(UTC)),
            routes=tuple(routes),
            agreements=tuple(measured.agreements),
            recommendation=said,
            notes=tuple(measured.notes),
        )
        write_comparison(self.output, routes, measured.answers)
        write_json(self.output, NAME, record.as_json())
        return comparison_set(self.output, record, tuple(measured.answers), self._exit_code(record))

    @property
    def _routes(self) -> Sequence[tuple[str, Prepared]]:
        return list(self.compares.routes.items())

    def _compared(self, label: str, job: Prepared, rows: MeasuredRows) -> Compared:
        """Return a route with its measures, and what all documents would come to there."""
        compares, plan = self.compares, self.plan.route(label)
        price, why = job.job_routes[0].route.price, self._why(label)
        measured = measure(
            rows, len(compares.sample.names), price, has_schema=job.form is not None, stopped=str(why) if why else None
        )
        answered = expected_over(job, (row["document_id"] for row in rows.documents if row["status"] != "failed"))
        return Compared(plan.terms, measured, project(plan.terms, measured, answered, plan.whole, self.plan.documents))

    def _why(self, label: str) -> JobPaused | None:
        """Return why a route wasn't asked to the end."""
        return self.ended.get(label, self.stopped)

    def _status(self) -> tuple[Status, str | None]:
        """Return how the comparison stands: paused where it was stopped, lacks money, or has no route left."""
        broke = [why for why in self.ended.values() if isinstance(why, BudgetReached)]
        lost = [why for why in self.ended.values() if why is not None]
        if self.stopped is not None:
            return "paused", str(self.stopped)
        if broke or len(lost) == len(self.compares.routes):
            return "paused", str((broke or lost)[0])
        return "done", None

    def _exit_code(self, record: Comparison) -> int:
        if isinstance(self.stopped, Interrupted):
            return 128 + self.stopped.signal
        if record.status != "done":
            return 4
        flawed = any(one.measured.failed or one.measured.partial or one.measured.stopped for one in record.routes)
        return 3 if flawed else 0

    def record(self, status: Status, reason: str | None = None, finished: datetime | None = None) -> Comparison:
        """Return comparison.json's content without its measures."""
        compares = self.compares
        return Comparison(
            comparison_id=self.comparison_id,
            flow=compares.flow,
            version=docmill_version(),
            spec={"inputs": [shown(name) for name in compares.inputs], **compares.options.spec()},
            status=status,
            reason=reason,
            started_at=self.began,
            finished_at=finished,
            documents=self.plan.documents,
            sample=compares.sample.names,
            cost_usd=paid(compares, self.began),
            routes=(),
            agreements=(),
            recommendation=UNDECIDED,
            left_out=compares.left_out,
        )


@contextlib.contextmanager
def open_comparison(compares: Compares, plan: ComparisonPlan, meter: Meter | None = None) -> Iterator[Comparing]:
    """Hold the result set of a comparison while the block runs; an unfinished one of the same routes is resumed.

    Raises UserMistake or StorageRefused if it can't be written, or another run holds it.
    """
    options, opened = compares.options, list[Comparing]()
    create_tables(options.folder, COMPARISON_TABLES)
    with holding(options, compares.state, lambda error: _stop_all(opened, error)):
        comparing = Comparing(compares, plan, meter or Meter(), *_begun(options.folder, compares.identity))
        opened.append(comparing)
        write_json(options.folder, NAME, comparing.record("running").as_json())
        yield comparing


def _stop_all(opened: Sequence[Comparing], error: StorageFailed) -> None:
    for comparing in opened:
        comparing.stop(error)


def _begun(folder: Folder, identity: str) -> tuple[str, datetime]:
    """Return the id of the comparison and when it began: those of an unfinished one that is the same, else new ones."""
    before = read_json(folder, NAME)
    name, _, number = str(before.get("comparison_id", "")).rpartition("-")
    mine = f"compare-{identity[:8]}"
    with contextlib.suppress(ValueError, KeyError, TypeError):
        if name == mine and before["status"] != "done":
            return f"{mine}-{number}", datetime.fromisoformat(before["started_at"])
    return f"{mine}-{int(number) + 1 if number.isdigit() else 1}", datetime.now(UTC)
