"""A running job: one event loop, its dispatchers, the ledger, and how it ends."""

import asyncio
import itertools
import threading
import time
from collections import Counter
from collections.abc import Collection, Coroutine, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, ClassVar, Generic, Literal

from typing_extensions import TypeVar

from tasks.base.errors import (
    DocumentFailed,
    Interrupted,
    JobPaused,
    LeaderLost,
    ModelUnknown,
    NoRouteLeft,
    StorageFailed,
)
from tasks.calls.progress import Meter
from tasks.calls.scheduler import RouteClient, RouteScheduler
from tasks.documents.document import Document
from tasks.documents.extract import extract
from tasks.documents.groups import grouped
from tasks.documents.object_store import shown
from tasks.events.event import SILENT, Observer
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import ASSIGNED, DocumentState, StatusTotals
from tasks.models.route import Route
from tasks.planning.prepare import Prepared, docmill_version
from tasks.results.job_file import JobRecord, Status, Totals, write_job_file
from tasks.results.location import Folder
from tasks.results.result_set import ResultSet, result_set
from tasks.results.schemas import Schemas
from tasks.strategies.text_answerer import TextAnswerer

# For the calls in flight after a signal, of the ten seconds in which all is to end.
DRAIN_SECONDS = 7.0
ROWS_AT_ONCE, BYTES_AT_ONCE = 1024, 8_000_000
T = TypeVar("T")
Settled = Literal["unchanged", "resumed"]


S = TypeVar("S", bound=RouteClient, default=TextAnswerer)


@dataclass(slots=True)
class Job(Generic[S]):
    """Everything the shards of one job share in this process; rows settled in a way that it `passes` reach none."""

    passes: ClassVar[Collection[Settled]] = ("unchanged", "resumed")

    prepared: Prepared
    ledger: Ledger
    meter: Meter
    loop: asyncio.AbstractEventLoop
    strategists: list[S]
    places: asyncio.Semaphore
    reading: asyncio.Lock
    began: float
    work: str
    waiting: RouteScheduler[S] = field(init=False)
    tasks: set["asyncio.Task[Any]"] = field(default_factory=set)
    writing: threading.Lock = field(default_factory=threading.Lock)
    observer: Observer = SILENT
    unchanged: int = 0
    # Unchanged rows that no shard was given; only the listing counts them.
    passed: int = 0
    _listing: Iterator[Document] | None = None
    _known: Totals = field(default_factory=Totals)
    _stopped: JobPaused | None = None

    def __post_init__(self) -> None:
        """Documents choose among the strategists, which are added as they are opened."""
        options = self.prepared.options
        shares = {stop.label: stop.share for stop in self.prepared.job_routes} if options.pool else None
        self.waiting = RouteScheduler(self.strategists, self.meter, self.stop, self.check, options.patience, shares)

    @property
    def output(self) -> Folder:
        """The place of the result set."""
        return self.prepared.options.folder

    @property
    def schemas(self) -> Schemas:
        """The schemas of the result tables."""
        return self.prepared.schemas

    @property
    def may_have_begun(self) -> bool:
        """Whether a document may have been begun at any of several routes in an earlier run."""
        return len(self.strategists) > 1 and self.ledger.had_answers

    @property
    def first_route(self) -> Route:
        """The route that the job was planned for."""
        return self.prepared.job_routes[0].route

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the job's loop and wait for it, from any other thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def documents(self) -> Iterator[Document]:
        """List the documents to work on, until the job is stopped; once."""
        for document in self._listing or self._listed():
            if self._stopped:
                return
            self.waiting.listed += 1
            yield document
        self.waiting.listed_all = self._stopped is None

    def look_ahead(self) -> None:
        """Pass over all that is settled before the first document to work on, while something else is waited for."""
        self._listing = self._listed()
        first = list(itertools.islice(self._listing, 1))
        self._listing = itertools.chain(first, self._listing)

    def _listed(self) -> Iterator[Document]:
        options = self.prepared.options
        # Of rows that need nothing none may be left to work on, however many there are.
        documents = itertools.takewhile(lambda _: self._stopped is None, self.prepared.documents())
        wanted = filter(self._failed_before, documents) if options.retry_failed else documents
        return self._unsettled(itertools.islice(wanted, options.limit))

    def _unsettled(self, documents: Iterator[Document]) -> Iterator[Document]:
        """Leave out rows of tables that need nothing, many at once: of a job that is taken up most may be done."""
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
        # Assigned: a kill came between its part and its status, so the same command takes it up.
        return seen is not None and seen.status in ("failed", "partial", ASSIGNED)

    def work_of(self, document: Document) -> str:
        """Return the identity of a document's own work: that of the job, and the columns it carries."""
        return self.work + self.prepared.carried.mark(document)

    def settled(self, document: Document, content_sha256: str, seen: DocumentState | None) -> Settled | None:
        """Return why a document needs nothing: unchanged since an earlier job, or finished by this one; or None."""
        if seen is None or (seen.content_sha256, seen.work) != (content_sha256, self.work_of(document)):
            return None
        if seen.job_id == self.ledger.job_id and seen.status in ("done", "partial", "failed"):
            return "resumed"
        if seen.status == "done" and not self.prepared.options.fresh:
            return "unchanged"
        return None

    def stop(self, reason: JobPaused, drain: float = DRAIN_SECONDS * 60) -> None:
        """Ask nobody any more; what is in flight may end within `drain` seconds. From any thread."""
        if self._stopped is None:
            self._stopped = reason
            asyncio.run_coroutine_threadsafe(self._drain(drain), self.loop)

    def stopped(self) -> JobPaused | None:
        """Return why the job was stopped, or None while it goes on."""
        return self._stopped

    def check(self) -> None:
        """Raise the reason once the job is stopped."""
        if self._stopped is not None:
            raise self._stopped

    def check_leader(self) -> None:
        """Raise LeaderLost in a worker whose run is gone: another may write by now."""
        if isinstance(self._stopped, LeaderLost):
            raise self._stopped

    async def _drain(self, seconds: float) -> None:
        """Wait for the calls in flight, then end whatever still waits for its turn."""
        deadline = time.monotonic() + seconds
        while self.in_flight and time.monotonic() < deadline:  # noqa: ASYNC110 - counts, of several dispatchers
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.1)  # let what has just arrived be parsed
        for task in list(self.tasks):
            task.cancel()

    @property
    def in_flight(self) -> int:
        """Calls that are on the wire now."""
        return sum(strategist.dispatcher.in_flight for strategist in self.strategists)

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
        """Write into job.json that the job ended by an error nobody foresaw; it stays resumable."""
        self._stopped = self._stopped or JobPaused(f"{type(error).__name__}: {error}")
        self.observer.note("job ended", status="failed", error_kind=type(error).__name__)
        write_job_file(self.output, self.record("failed", datetime.now(UTC)))

    def conclude(self) -> ResultSet:
        """Write job.json for the last time; return what the run leaves."""
        totals = self._totals()
        reason = self._stopped
        for strategist in self.strategists:
            lost = strategist.dispatcher.lost
            if lost is not None and lost is not getattr(reason, "cause", None):
                self.meter.trouble(strategist.route.label, f"{lost}: its documents went elsewhere")
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
    """Return the exit code that the contract gives to an end."""
    if isinstance(reason, Interrupted):
        return 128 + reason.signal
    if reason is not None and is_mistake(reason):
        return 2
    if reason is not None:
        return 4
    return 3 if totals.failed or totals.partial else 0
