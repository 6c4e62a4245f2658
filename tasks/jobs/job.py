"""A running job: one event loop, its dispatchers, the ledger, and how it ends."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from tasks.dispatch.client import Client
from tasks.dispatch.dispatcher import Dispatcher
from tasks.dispatch.limits import Limits
from tasks.dispatch.spending import Spending
from tasks.documents.document import Document
from tasks.errors import Interrupted, JobStopped, ModelUnknown, UserMistake
from tasks.jobs.ask import Asker
from tasks.jobs.cut import Cutter
from tasks.jobs.meter import Meter
from tasks.jobs.prepare import Prepared, Stop, docmill_version
from tasks.jobs.strategy import Strategist
from tasks.ledger.ledger import Ledger, Sums
from tasks.ledger.lock import hold
from tasks.providers.account import Account
from tasks.providers.local_server import local_server
from tasks.providers.registry import wire_of
from tasks.results.job_file import JobRecord, Status, Totals, write_job_file
from tasks.results.parts import create_tables

DRAIN_SECONDS = 10.0
T = TypeVar("T")


@dataclass(slots=True)
class Job:
    """Everything the shards of one job share in this process."""

    prepared: Prepared
    ledger: Ledger
    meter: Meter
    loop: asyncio.AbstractEventLoop
    strategists: list[Strategist]
    places: asyncio.Semaphore
    began: float
    work: str
    tasks: set["asyncio.Task[Any]"] = field(default_factory=set)
    writing: threading.Lock = field(default_factory=threading.Lock)
    _stopped: JobStopped | None = None

    @property
    def output(self) -> Path:
        """The folder of the result set."""
        return self.prepared.options.output

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the job's loop and wait for it, from any other thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    def documents(self) -> Iterator[Document]:
        """List the documents to work on, until the job is stopped."""
        options = self.prepared.options
        count = 0
        for document in self.prepared.documents():
            if self._stopped or count == options.limit:
                return
            if options.retry_failed and not self._failed_before(document):
                continue
            count += 1
            self.meter.listed()
            yield document

    def _failed_before(self, document: Document) -> bool:
        seen = self.ledger.seen(document.document_id)
        return seen is not None and seen.status in ("failed", "partial")

    def settled(self, document_id: str, content_sha256: str) -> bool:
        """Whether a document needs nothing: unchanged since an earlier job, or finished by this one."""
        seen = self.ledger.seen(document_id)
        if seen is None or (seen.content_sha256, seen.work) != (content_sha256, self.work):
            return False
        if seen.job_id == self.ledger.job_id and seen.status in ("done", "partial", "failed"):
            self.meter.finished("resumed")
            return True
        if seen.status == "done" and not self.prepared.options.fresh:
            self.meter.finished("unchanged")
            return True
        return False

    def stop(self, reason: JobStopped, drain: float = DRAIN_SECONDS * 60) -> None:
        """Ask nobody any more; what is in flight may end within `drain` seconds. From any thread."""
        if self._stopped is None:
            self._stopped = reason
            asyncio.run_coroutine_threadsafe(self._drain(drain), self.loop)

    def stopped(self) -> JobStopped | None:
        """Return why the job was stopped, or None while it goes on."""
        return self._stopped

    def check(self) -> None:
        """Raise the reason once the job is stopped."""
        if self._stopped is not None:
            raise self._stopped

    def all_lost(self) -> JobStopped:
        """Stop the job: no route is left. Return the reason of the last one."""
        lost = [strategist.asker.dispatcher.lost for strategist in self.strategists]
        reason = next((error for error in reversed(lost) if error is not None), JobStopped("no route is left"))
        self.stop(reason)
        return reason

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
        return sum(strategist.asker.dispatcher.in_flight for strategist in self.strategists)

    def record(self, status: Status, finished: datetime | None = None) -> JobRecord:
        """Return job.json's content as it stands."""
        return JobRecord(
            self.ledger.job_id,
            self.prepared.flow,
            docmill_version(),
            {"inputs": list(self.prepared.inputs), **self.prepared.options.spec()},
            status,
            str(self._stopped) if self._stopped else None,
            self.ledger.started_at(),
            finished,
            self._totals(),
        )

    def _totals(self) -> Totals:
        """Sum up what this job did in all its runs, and what it found unchanged."""
        sums = self.ledger.sums()
        done, partial, failed = (sums.get(status, Sums()) for status in ("done", "partial", "failed"))
        every = (done, partial, failed)
        costs = [one.cost_usd for one in every]
        return Totals(
            documents=sum(one.documents for one in every) + self.meter.unchanged,
            done=done.documents,
            partial=partial.documents,
            failed=failed.documents,
            unchanged=self.meter.unchanged,
            calls=sum(one.calls for one in every),
            reused_calls=sum(one.reused_calls for one in every),
            prompt_tokens=sum(one.prompt_tokens for one in every),
            completion_tokens=sum(one.completion_tokens for one in every),
            cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
            seconds=round(time.monotonic() - self.began, 3),
        )

    def broke(self, error: BaseException) -> None:
        """Write into job.json that the job ended by an error nobody foresaw; it stays resumable."""
        self._stopped = self._stopped or JobStopped(f"{type(error).__name__}: {error}")
        write_job_file(self.output, self.record("failed", datetime.now(UTC)))

    def conclude(self) -> tuple[JobRecord, int]:
        """Write job.json for the last time; return it and the exit code."""
        reason = self._stopped
        status: Status = "done"
        if reason is not None:
            status = "failed" if isinstance(reason, ModelUnknown) else "paused"
        record = self.record(status, datetime.now(UTC))
        write_job_file(self.output, record)
        self.ledger.end(status)
        return record, exit_code(reason, record.totals)


def exit_code(reason: JobStopped | None, totals: Totals) -> int:
    """Return the exit code that the contract gives to an end."""
    if isinstance(reason, Interrupted):
        return 128 + reason.signal
    if isinstance(reason, ModelUnknown):
        return 2
    if reason is not None:
        return 4
    return 3 if totals.failed or totals.partial else 0


@contextlib.contextmanager
def open_job(prepared: Prepared, meter: Meter | None = None) -> Iterator[Job]:
    """Open everything a job needs, and close it all in the end, whatever happens.

    Raises UserMistake where the output can't be written or another run holds it.
    """
    output = prepared.options.output
    create_tables(output)
    with contextlib.ExitStack() as stack:
        stack.enter_context(hold(output / ".docmill"))
        ledger = Ledger(output / ".docmill" / "ledger.sqlite", fresh=prepared.options.fresh)
        stack.callback(ledger.close)
        ledger.begin(prepared.identity, prepared.flow)
        loop = stack.enter_context(_running_loop())
        accounts = [stop.account or stack.enter_context(_local(prepared, stop)) for stop in prepared.stops]
        client = _on(loop, _opened())
        stack.callback(lambda: _on(loop, client.__aexit__(None, None, None)))
        meter = meter or Meter()
        spending = Spending(prepared.options.budget, ledger.spent() if prepared.options.budget is not None else 0.0)
        most = max(_concurrency(prepared, stop) for stop in prepared.stops)
        places = asyncio.Semaphore(2 * most + 4)
        job = Job(prepared, ledger, meter, loop, [], places, time.monotonic(), prepared.work)
        for stop, account in zip(prepared.stops, accounts, strict=True):
            job.strategists.append(_strategist(job, stop, account, client, spending))
        write_job_file(output, job.record("running"))
        yield job


def _local(prepared: Prepared, stop: Stop) -> "contextlib.AbstractContextManager[Account]":
    if prepared.local_model is None:
        raise UserMistake("the local model has no file: name one in DOCMILL_LOCAL_MODEL")
    slots = _concurrency(prepared, stop)
    return local_server(prepared.local_model, context=stop.route.window.context, slots=slots)


def _concurrency(prepared: Prepared, stop: Stop) -> int:
    return prepared.options.concurrency or stop.provider.concurrency


def _strategist(job: Job, stop: Stop, account: Account, client: Client, spending: Spending) -> Strategist:
    options, provider = job.prepared.options, stop.provider
    limits = Limits(
        requests=options.rpm or provider.requests_per_minute,
        tokens=options.tpm or provider.tokens_per_minute,
        concurrency=_concurrency(job.prepared, stop),
    )
    dispatcher = Dispatcher(client, account, wire_of(provider.name, provider.wire), limits)
    asker = Asker(
        stop.route,
        dispatcher,
        job.ledger,
        spending,
        job.meter,
        stop.tokenizer,
        options.routing,
        provider.extras,
        job.prepared.prompts.go_on,
        job.stopped,
    )
    cutter = Cutter(stop.route, stop.tokenizer, job.prepared.prompts, options.strategy)
    return Strategist(asker, cutter)


@contextlib.contextmanager
def _running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """One event loop on a thread of its own, for the whole job."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="dispatch", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        _on(loop, loop.shutdown_default_executor())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _opened() -> Client:
    """The client belongs to the loop it is made on."""
    return Client()


def _on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> T:
    future: Future[T] = asyncio.run_coroutine_threadsafe(work, loop)
    return future.result()
