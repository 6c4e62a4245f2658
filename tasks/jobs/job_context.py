"""The job as seen by the work on its documents: the job's options, ledger and routes, and how it is stopped."""

import asyncio
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal

from typing_extensions import TypeVar

from tasks.base.errors import JobPaused, LeaderLost
from tasks.calls.progress import Meter
from tasks.calls.route_client import RouteClient
from tasks.calls.scheduler import RouteScheduler, RouteUser
from tasks.documents.document import Document
from tasks.events.event import SILENT, Observer
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import DocumentState
from tasks.models.route import Route
from tasks.planning.prepared import Prepared
from tasks.results.location import Folder
from tasks.results.schemas import Schemas
from tasks.strategies.text_answerer import TextAnswerer

# How long calls in flight may take after a signal, of the ten seconds in which the process is to end.
DRAIN_SECONDS = 7.0
Settled = Literal["unchanged", "resumed"]
S = TypeVar("S", bound=RouteUser, default=TextAnswerer)


@dataclass(slots=True)
class JobContext(Generic[S]):
    """What the shards of one job share in this process.

    `answerers` ask the routes, best first. `slots` bound the documents in memory; `reading` has one shard at a time
    take them. Rows settled in a way that it `passes` reach no shard.
    """

    passes: ClassVar[Collection[Settled]] = ("unchanged", "resumed")

    prepared: Prepared
    ledger: Ledger
    meter: Meter
    loop: asyncio.AbstractEventLoop
    slots: asyncio.Semaphore
    answerers: list[S] = field(default_factory=list)
    scheduler: RouteScheduler[S] = field(init=False)
    # The fingerprint of `prepared`, computed once.
    fingerprint: str = field(init=False)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    writing: threading.Lock = field(default_factory=threading.Lock)
    tasks: set["asyncio.Task[Any]"] = field(default_factory=set)
    observer: Observer = SILENT
    _stopped: JobPaused | None = None

    def __post_init__(self) -> None:
        """Make the scheduler over the answerers, which are added as their routes are opened."""
        self.fingerprint = self.prepared.fingerprint
        options = self.prepared.options
        shares = {one.label: one.share for one in self.prepared.job_routes} if options.pool else None
        self.scheduler = RouteScheduler(self.answerers, self.meter, self.stop, self.check, options.patience, shares)

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
        return len(self.answerers) > 1 and self.ledger.had_answers

    @property
    def first_route(self) -> Route:
        """The route that the job was planned for."""
        return self.prepared.job_routes[0].route

    def fingerprint_of(self, document: Document) -> str:
        """Return the identity of a document's own work: that of the job, and the columns it carries."""
        return self.fingerprint + self.prepared.carried.mark(document)

    def settled(self, document: Document, content_sha256: str, seen: DocumentState | None) -> Settled | None:
        """Return why a document needs no work: unchanged since an earlier job, or finished by this one; or None."""
        if seen is None or (seen.content_sha256, seen.fingerprint) != (content_sha256, self.fingerprint_of(document)):
            return None
        if seen.job_id == self.ledger.job_id and seen.status in ("done", "partial", "failed"):
            return "resumed"
        if seen.status == "done" and not self.prepared.options.fresh:
            return "unchanged"
        return None

    def stop(self, reason: JobPaused, drain: float = DRAIN_SECONDS * 60) -> None:
        """Send no more calls; those in flight may end within `drain` seconds. From any thread."""
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
    def clients(self) -> list[RouteClient]:
        """The routes as this job asks them, best first."""
        return [answerer.client for answerer in self.answerers]

    @property
    def in_flight(self) -> int:
        """Calls that are on the wire now."""
        return sum(client.dispatcher.exchanger.in_flight for client in self.clients)
