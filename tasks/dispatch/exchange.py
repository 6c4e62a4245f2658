"""One exchange with a provider, and the interface that accounts for its cost."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Protocol, TypeVar

from tasks.base.errors import CallFailed, CallRejected, JobPaused, NotSent
from tasks.providers.call import Call
from tasks.providers.protocol import Answer, Reply
from tasks.providers.vectors import Vectors

T = TypeVar("T")
# The request went out and no answer was read: the provider may be paid all the same.
LOST = frozenset({"timeout", "connection", "not_json", "empty_choices", "empty_answer", "bad_vectors", "cancelled"})
# Another request for the same answer was quicker.
HEDGED = "hedged"


Paid = Answer | Vectors


class Exchange(NamedTuple):
    """How an exchange ended that was, or may have been, paid for.

    `paid` is what the provider answered, of use or not; None where its answer was lost.
    `error` says why it can't be used; None where it can.
    """

    call: Call
    paid: Paid | None
    error: CallFailed | None
    attempts: int
    latency_ms: int


class Bookkeeper(Protocol):
    """Accounts for one call: each exchange is counted before anything else is done with it."""

    def stopped(self) -> JobPaused | NotSent | None:
        """Return the reason why no call, or not this request, is to be sent any more; or None."""
        ...

    async def reserve(self) -> None:
        """Reserve the worst case of one more attempt in the budget. Raises BudgetReached."""
        ...

    def record(self, call: Call, reply: Reply, attempts: int, latency_ms: int) -> Awaitable[None]:
        """Make a paid reply durable, before anybody parses it."""
        ...

    def count(self, exchange: Exchange) -> None:
        """Count what an exchange cost, or may have cost."""
        ...

    def expect(self, late: "asyncio.Task[None]") -> None:
        """Keep a task that waits for the slower of two requests and counts it."""
        ...


@dataclass(slots=True)
class Flight:
    """A request under way; `first` is the task that waits for it if a second request was quicker."""

    call: Call
    attempt: int
    books: Bookkeeper
    first: "asyncio.Task[None] | None" = None

    def sent_at(self, clock: Callable[[], float]) -> "Sending":
        """Return the block to send it in, which counts it if its answer is lost: it may be paid for all the same."""
        return Sending(self, clock, clock())

    def lose(self, error: CallFailed, seconds: float) -> None:
        """Count a request whose answer nobody will read."""
        self.books.count(Exchange(self.call, None, error, self.attempt, round(seconds * 1000)))


@dataclass(slots=True)
class Sending:
    """Counts a request as lost where the block is left without its reply."""

    flight: Flight
    clock: Callable[[], float]
    sent: float

    def __enter__(self) -> None:
        """Do nothing: the clock is running already."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Count it if it may have been paid for."""
        if isinstance(error, asyncio.CancelledError):
            error = CallRejected("cancelled", "the job was stopped before its answer came")
        if isinstance(error, CallFailed) and error.reason in LOST:
            self.flight.lose(error, self.clock() - self.sent)


async def whole(work: Awaitable[T]) -> tuple[T, asyncio.CancelledError | None]:
    """Wait for something to its end, and return its result; with it a cancellation that came meanwhile."""
    future = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(future), None
    except asyncio.CancelledError as cancelled:
        return await future, cancelled
