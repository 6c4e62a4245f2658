"""A running job: one event loop, its dispatchers, the ledger, and how it ends."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from typing_extensions import TypeVar

from tasks.base.errors import (
    DocumentFailed,
    Interrupted,
    JobPaused,
    ModelUnknown,
    NoRouteLeft,
    StorageFailed,
)
from tasks.calls.scheduler import RouteUser
from tasks.documents.document import Document
from tasks.documents.extract import extract
from tasks.documents.groups import grouped
from tasks.documents.object_store import shown
from tasks.jobs.job_context import JobContext, Settled
from tasks.ledger.records import ASSIGNED, DocumentState, StatusTotals
from tasks.planning.prepared import docmill_version
from tasks.results.job_file import JobRecord, Status, Totals, write_job_file
from tasks.results.result_set import ResultSet, result_set
from tasks.strategies.text_answerer import TextAnswerer

ROWS_AT_ONCE, BYTES_AT_ONCE = 1024, 8_000_000
T = TypeVar("T")
S = TypeVar("S", bound=RouteUser, default=TextAnswerer)


@dataclass(slots=True)
class Job(JobContext[S]):
    """A job in this process: its listing, its totals, and how it ends."""

    began: float = field(default_factory=time.monotonic)
    unchanged: int = 0
    # Unchanged rows that were not handed to any shard; only the listing counts them.
    passed: int = 0
    _listing: Iterator[Document] | None = None
    _known: Totals = field(default_factory=Totals)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the job's loop and wait for it, from any other thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    def documents(self) -> Iterator[Document]:
        """List the documents to work on, until the job is stopped; once."""
        for document in self._listing or self._listed():
            if self._stopped:
                return
            self.scheduler.listed += 1
            yield document
        self.scheduler.listed_all = self._stopped is None

    def look_ahead(self) -> None:
        """Find the first document to work on ahead of time, skipping settled ones."""
        self._listing = self._listed()
        first = list(itertools.islice(self._listing, 1))
        self._listing = itertools.chain(first, self._listing)

    def _listed(self) -> Iterator[Document]:
        options = self.prepared.options
        # Checked for each document: a long source may consist of settled rows only, which never reach the caller.
        documents = itertools.takewhile(lambda _: self._stopped is None, self.prepared.documents())
        wanted = filter(self._failed_before, documents) if options.retry_failed else documents
        return self._unsettled(itertools.islice(wanted, options.limit))

    def _unsettled(self, documents: Iterator[Document]) -> Iterator[Document]:
        """Leave out settled table rows, looking up many at once: in a resumed job, most may be done."""
        for group in grouped(documents, ROWS_AT_ONCE, BYTES_AT_ONCE):
            rows = [one.document_id for one in group if one.text is not None]
            seen = self.ledger.seen(rows) if rows and not self.ledger.is_new else {}
            whys = [self._settled_row(one, seen[one.document_id]) if one.document_id in seen else None for one in group]
            self.meter.listed(len(group))
            for why, count in Counter(filter(None, whys)).items():
                self.meter.finished(why, count)
                self.passed += count if why == "unchanged" else 0
            yield from (document for document, why in zip(group, whys, strict=True) if why is None)

    def _settled_row(self, document: Document, seen: DocumentState) -> Settled | None:
        try:
            text = extract(document).text
        except DocumentFailed:
            return None
        settled = self.settled(document, sha256(text.encode()).hexdigest(), seen)
        return settled if settled in self.passes else None

    def _failed_before(self, document: Document) -> bool:
        seen = self.ledger.seen([document.document_id]).get(document.document_id)
        # Assigned: the run was killed between writing the part and setting the status, so this one resumes it.
        return seen is not None and seen.status in ("failed", "partial", ASSIGNED)

    def record(self, status: Status, finished: datetime | None = None, totals: Totals | None = None) -> JobRecord:
        """Return job.json's content as it stands."""
        return JobRecord(
            self.ledger.job_id,
            self.prepared.flow,
            docmill_version(),
            {"inputs": [shown(name) for name in self.prepared.inputs], **self.prepared.options.spec()},
            status,
            str(self._stopped) if self._stopped else None,
            self.ledger.started_at(),
            finished,
            totals or self._totals(),
            self.meter.planned,
        )

    def _totals(self) -> Totals:
        """Return the totals as they are; as they were last known where the ledger fails, which stops the job."""
        try:
            self._known = self._summed()
        except StorageFailed as error:
            self._stopped = self._stopped or error
        return replace(self._known, seconds=round(time.monotonic() - self.began, 3))

    def _summed(self) -> Totals:
        """Sum up what this job did in all its runs, and what it found unchanged."""
        sums = self.ledger.sums()
        done, partial, failed, begun = (
            sums.get(status, StatusTotals()) for status in ("done", "partial", "failed", ASSIGNED)
        )
        every = (done, partial, failed, begun)
        costs = [one.cost_usd for one in every]
        lost_calls, lost_cost = self.ledger.lost()
        return Totals(
            documents=done.documents + partial.documents + failed.documents + self.unchanged + self.passed,
            done=done.documents,
            partial=partial.documents,
            failed=failed.documents,
            unchanged=self.unchanged + self.passed,
            calls=sum(one.calls for one in every),
            reused_calls=sum(one.reused_calls for one in every),
            prompt_tokens=sum(one.prompt_tokens for one in every),
            completion_tokens=sum(one.completion_tokens for one in every),
            cost_usd=None if None in costs else self._paid(cost for cost in costs if cost is not None),
            lost_calls=lost_calls,
            lost_cost_usd=round(lost_cost, 10),
        )

    def _paid(self, costs: Iterable[float]) -> float:
        """The documents' costs, or all that was paid where the rows of some couldn't be written."""
        return round(max(sum(costs), self.ledger.paid()), 10)

    def broke(self, error: BaseException) -> None:
        """Record in job.json that the job ended with an unexpected error; it stays resumable."""
        self._stopped = self._stopped or JobPaused(f"{type(error).__name__}: {error}")
        self.observer.note("job ended", status="failed", error_kind=type(error).__name__)
        write_job_file(self.output, self.record("failed", datetime.now(UTC)))

    def conclude(self) -> ResultSet:
        """Write job.json for the last time; return the result set."""
        totals = self._totals()
        reason = self._stopped
        for client in self.clients:
            lost = client.dispatcher.lost
            if lost is not None and lost is not getattr(reason, "cause", None):
                self.meter.trouble(client.route.label, f"{lost}: its documents went elsewhere")
        status: Status = "done"
        if reason is not None:
            status = "failed" if is_mistake(reason) else "paused"
        record = self.record(status, datetime.now(UTC), totals)
        try:
            write_job_file(self.output, record)
            self.ledger.end(status)
        except StorageFailed as error:
            # The job stays `running` on the disk, which is how the same command takes it up.
            reason = reason or error
            record = replace(record, status="paused", reason=str(reason))
        code = exit_code(reason, record.totals)
        kind = reason.kind if reason else None
        self.observer.note("job ended", status=record.status, error_kind=kind, exit_code=code, **asdict(record.totals))
        return result_set(self.output, self.schemas, record, code)


def is_mistake(reason: JobPaused) -> bool:
    """Whether a job stopped because of what the user named: the same command would stop again."""
    return isinstance(reason, NoRouteLeft) and isinstance(reason.cause, ModelUnknown)


def exit_code(reason: JobPaused | None, totals: Totals) -> int:
    """Return the documented exit code for the reason of a stop, if any, and the totals."""
    if isinstance(reason, Interrupted):
        return 128 + reason.signal
    if reason is not None and is_mistake(reason):
        return 2
    if reason is not None:
        return 4
    return 3 if totals.failed or totals.partial else 0
