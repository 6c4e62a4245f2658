"""Send calls to one route until each has an answer or a reason why not."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn, Protocol

from tasks.base.errors import AccountRefused, CallFailed, CallRejected, RouteDown, RouteUnavailable
from tasks.dispatch.breaker import Breaker
from tasks.dispatch.call_events import CallEvents
from tasks.dispatch.exchange import HEDGED, LOST, Bookkeeper, Call, Exchange, Flight, Paid, whole
from tasks.dispatch.hedging import Leave, Race, first_reply
from tasks.dispatch.latency import Calibration, LatencyWindow
from tasks.dispatch.limits.gate import Grant, Limits
from tasks.dispatch.limits.rate import Demand
from tasks.dispatch.retry import (
    BUSY,
    DOUBTFUL,
    DOWN,
    MOST_REFUSALS,
    RATE_LIMITED,
    ROUTE_WIDE,
    Policy,
    wait_before_retry,
)
from tasks.providers.account import Account
from tasks.providers.adjustments import Adjustments
from tasks.providers.effective_limits import SECOND
from tasks.providers.protocol import Answer, Reply, Wire
from tasks.providers.rate_limit_headers import advertised_limits
from tasks.providers.vectors import Vectors

# Headers tell the same limits again and again: they are read so often, and at every refusal.
TOLD_SECONDS = 0.25
# A route that refuses everybody for so long is as good as down.
REFUSED_SECONDS = 120.0
UP_SECONDS = 10.0


class Delivered(NamedTuple):
    """An answer with how it came; `hedged`: it was asked for twice."""

    answer: Paid
    attempts: int
    latency_ms: int
    hedged: bool = False


Sleep = Callable[[float], Awaitable[None]]


class Transport(Protocol):
    """What carries requests to a server and replies back: the HTTP client, or a model in this process."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply:
        """POST `body`. Raises Transient and CertificateRefused."""
        ...

    async def get(self, url: str, headers: Mapping[str, str], seconds: float) -> Reply:
        """GET a small document. Raises as `post` does."""
        ...


@dataclass(slots=True)
class Tries:
    """How often a call was sent, how often in a row it failed by itself, and since when."""

    attempt: int = 0
    count: int = 0
    failing_since: float | None = None


@dataclass(slots=True)
class Dispatcher:
    """All calls to one route go through here; it belongs to one event loop.

    Time, sleep and jitter are arguments. `told_period` is the period in seconds of
    limits whose headers don't say it.
    """

    client: Transport
    account: Account
    wire: Wire
    limits: Limits
    policy: Policy = field(default_factory=Policy)
    hedge: bool = False
    told_period: float = 60.0
    sleep: Sleep = asyncio.sleep
    jitter: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    lost: RouteUnavailable | None = None
    breaker: Breaker = field(default_factory=Breaker)
    adjustments: Adjustments = field(default_factory=Adjustments)
    # Whether a call that asks for a format, of the answer or of vectors, was ever answered.
    takes_format: bool = False
    spread: LatencyWindow = field(default_factory=LatencyWindow)
    calibration: Calibration = field(default_factory=Calibration)
    notes: CallEvents = field(default_factory=CallEvents)
    in_flight: int = 0
    # All routes of the account, this one among them.
    siblings: "list[Dispatcher]" = field(default_factory=list)
    _told_at: float = -1.0

    def __post_init__(self) -> None:
        """What the breaker does is told too."""
        self.breaker.turned = lambda down: self.notes.turned(down=down)

    async def send(self, call: Call, who: str, books: Bookkeeper) -> Delivered:
        """Ask on behalf of document `who` until answered; `books` are kept of every exchange.

        Raises CallRejected for this call, RouteUnavailable for the route (RouteDown where it may
        come back), BudgetReached, or why the job is to ask nobody any more.
        """
        tries = Tries()
        while True:
            tries.attempt, tries.count = tries.attempt + 1, tries.count + 1
            call, spelled = self._as_sent(call), self.adjustments.count
            try:
                await books.reserve()
                return await self._attempt(call, who, tries.attempt, books)
            except CallFailed as error:
                if error.paid is None and self.adjustments.learn(error.status, error.words, spelled):
                    continue  # as the route takes it
                error.attempts = tries.attempt
                await self._wait_to_retry(error, tries, call, who)
            except RouteUnavailable as error:
                self._left(error, tries, call, who)
                raise

    async def _wait_to_retry(self, error: CallFailed, tries: "Tries", call: Call, who: str) -> None:
        """Wait until a call may be asked again. Raises where it isn't worth it."""
        now, by_limit = self.clock(), error.reason in RATE_LIMITED
        since = tries.failing_since = now if tries.failing_since is None else tries.failing_since
        if self._breaks_over_format(call, error) and tries.attempt > 1:
            raise error
        if by_limit and self.breaker.answered_at > since:
            # The route is busy, not down: others are answered, and so will this one be.
            since = tries.failing_since = now
            tries.count = 1 if tries.attempt < MOST_REFUSALS else tries.attempt
        wait = wait_before_retry(error, tries.count, self.breaker.failing_share, self.jitter(), self.policy)
        if wait is None or (by_limit and now - since > REFUSED_SECONDS):
            self._give_up(error, since, call, who)
        self.notes.retried(call.call_id, who, tries.attempt, error, None if by_limit else wait)
        if not by_limit:
            await self.sleep(wait)

    def _left(self, error: RouteUnavailable, tries: "Tries", call: Call, who: str) -> None:
        self.notes.left(call.call_id, who, tries.attempt, error)
        if not isinstance(error, RouteDown):
            self.lose(error)
        if isinstance(error, AccountRefused):
            for sibling in self.siblings:
                sibling.lose(error)

    def lose(self, error: RouteUnavailable) -> None:
        """Ask this route no more."""
        if self.lost is None:
            self.lost = error
            self.notes.lost(error)

    async def _attempt(self, call: Call, who: str, attempt: int, books: Bookkeeper) -> Delivered:
        """One exchange within the limits, counted whatever it comes to."""
        self._check(call, who, books)
        asked = self.limits.now()
        grant = await self.limits.enter(self._demand(call))
        flight = Flight(call, attempt, books)
        used: Demand | None = Demand(0, 0)
        try:
            self._check(call, who, books)
            call = flight.call = self._as_sent(call)  # others may have learned meanwhile what the route doesn't take
            self.notes.sent(call.call_id, who, attempt, grant.at - asked, self.limits.held_by)
            used = None
            delivered = await self._exchange(flight)
            used = self._used(call, delivered.answer)
        except CallFailed as error:
            used = self._used(call, error.paid) if isinstance(error.paid, Answer | Vectors) else used
            self._failed(error, grant, call, who, attempt)
            raise
        else:
            self.limits.accepted(grant)
            self.breaker.succeeded(self.clock(), first=attempt == 1)
            self.takes_format = self.takes_format or call.format is not None
            return delivered
        finally:
            if flight.first is None:
                self.limits.leave(grant, used)
            else:  # the first request is still under way: so is its place
                flight.first.add_done_callback(lambda _: self.limits.leave(grant, used))

    async def _exchange(self, flight: Flight) -> Delivered:
        call, attempt, books = flight.call, flight.attempt, flight.books
        self.in_flight += 1
        try:
            sent = self.clock()
            reply, hedged = await self._hedged(flight) if self.hedge else (await self._post(flight), False)
            reply = self.account.hidden(reply)
            seconds = self.clock() - sent
            self._learn(reply)
            latency_ms, cancelled = round(seconds * 1000), None
            if reply.status < 300:
                _, cancelled = await whole(books.record(call, reply, attempt, latency_ms))
        finally:
            self.in_flight -= 1
        answer = self._counted(reply, flight, latency_ms)
        if cancelled is not None:
            raise cancelled
        self.spread.add(seconds)
        return Delivered(answer, attempt, latency_ms, hedged)

    def _counted(self, reply: Reply, flight: Flight, latency_ms: int) -> Paid:
        """Return what is in a reply, once it is counted. Raises as the wire does."""
        call, attempt, books = flight.call, flight.attempt, flight.books
        try:
            answer = self.read(reply, call.inputs)
        except CallFailed as error:
            paid = error.paid if isinstance(error.paid, Answer | Vectors) else None
            if reply.status < 300 and (paid is not None or error.reason in LOST):
                books.count(Exchange(call, paid, error, attempt, latency_ms))
            raise
        books.count(Exchange(call, answer, None, attempt, latency_ms))
        return answer

    def read(self, reply: Reply, inputs: int) -> Paid:
        """Return what is in a reply: vectors of so many texts, or an answer. Raises as the wire does."""
        return self.wire.vectors(reply, inputs) if inputs else self.wire.answer(reply)

    async def _post(self, flight: Flight) -> Reply:
        """Send a request; one whose answer is lost on the way may be paid for all the same."""
        call, sent = flight.call, self.clock()
        url, seconds = self.account.base_url + call.path, self.spread.deadline(call.seconds)
        body = self.adjustments.applied(call.body)
        try:
            return await self.client.post(url, self.account.headers("POST", url, body), body, seconds)
        except CallFailed as error:
            if error.reason in LOST:
                flight.lose(error, self.clock() - sent)
            raise
        except asyncio.CancelledError:
            flight.lose(CallRejected("cancelled", "the job was stopped before its answer came"), self.clock() - sent)
            raise

    async def _hedged(self, flight: Flight) -> tuple[Reply, bool]:
        """Ask a second time where the first answer is slow; it takes its place in the limits like any other."""

        async def enter() -> Leave:
            grant = await self.limits.enter(self._demand(flight.call))
            return lambda: self.limits.leave(grant, None)

        race = await first_reply(lambda: self._post(flight), enter, self.spread.slow())
        if race.other is not None:
            late = asyncio.create_task(self._heard_out(flight, race))
            flight.first = late if race.is_second else None
            flight.books.expect(late)
        return race.reply, race.other is not None

    async def _heard_out(self, flight: Flight, race: Race) -> None:
        """Hear the slower of two requests out, and count what it took."""
        assert race.other is not None
        self.in_flight += 1
        sent = self.clock()
        try:
            reply = await race.other
        except (CallFailed, RouteUnavailable):
            return  # counted where it was sent, if it may have been paid for
        finally:
            self.in_flight -= 1
        if reply.status < 300:
            self._counted_late(reply, flight, self.clock() - sent)

    def _counted_late(self, reply: Reply, flight: Flight, seconds: float) -> None:
        """Count an answer that came behind another; one that can't be read is lost."""
        why = CallRejected(HEDGED, "another request for this answer was quicker")
        try:
            paid = self.read(reply, flight.call.inputs)
        except CallFailed as error:
            if not isinstance(error.paid, Answer | Vectors):
                if error.reason in LOST:
                    flight.lose(error, seconds)
                return
            paid = error.paid
        flight.books.count(Exchange(flight.call, paid, why, flight.attempt, round(seconds * 1000)))

    def _demand(self, call: Call) -> Demand:
        """What a call asks of the limits: its prompt and its answer's most."""
        return Demand(self.calibration.prompt(call.prompt_tokens), call.max_tokens)

    def _used(self, call: Call, answer: Paid) -> Demand | None:
        """Return the tokens that an answer says it took, and learn from them."""
        if answer.prompt_tokens is None or answer.completion_tokens is None:
            return None
        self.calibration.add(call.prompt_tokens, answer.prompt_tokens)
        return Demand(answer.prompt_tokens, answer.completion_tokens)

    def _check(self, call: Call, who: str, books: Bookkeeper) -> None:
        """Raise why nobody is to be asked any more, or not now."""
        reason = self.lost or books.stopped()
        if reason is None and not self.breaker.admits(who, self.clock(), call.call_id):
            reason = self.down()
        if reason is not None:
            raise reason

    def _learn(self, reply: Reply) -> None:
        now = self.clock()
        if reply.status != 429 and now - self._told_at < TOLD_SECONDS:
            return
        self._told_at = now
        for told in advertised_limits(reply.headers, period=self.told_period):
            if self.limits.tell(told.unit, told.period, told.limit):
                self.notes.learned(told.unit, told.period, told.limit, told=True)

    def _failed(self, error: CallFailed, grant: Grant, call: Call, who: str, attempt: int) -> None:
        """Tell the limits and the breaker what a failure says of the route."""
        self.notes.refused(call.call_id, who, attempt, error)
        wait = getattr(error, "retry_after", None)
        wait = None if wait is None else min(wait, self.policy.longest_retry_after)
        if error.reason in RATE_LIMITED:
            self._refused(grant, wait)
            return
        self.limits.accepted(grant)
        if error.reason in BUSY and wait is not None:
            self.limits.pause(wait)
        if error.reason in ROUTE_WIDE and not self._breaks_over_format(call, error):
            self.breaker.failed(call.call_id, who, str(error), self.clock(), first=attempt == 1)
        else:
            self.breaker.alive()

    def _breaks_over_format(self, call: Call, error: CallFailed) -> bool:
        """Whether a route that never took such a format may break over it, rather than refuse it in words."""
        return call.format is not None and not self.takes_format and error.status in (500, 501)

    def _as_sent(self, call: Call) -> Call:
        """Return a call that asks for no format any more where that is left out of what is sent."""
        return call._replace(format=None) if call.format in self.adjustments.dropped else call

    def _refused(self, grant: Grant, wait: float | None) -> None:
        """Tell the limits of a refusal; what they learn from it is told on."""
        learned = self.limits.learned
        lowered = learned.lowered
        self.limits.refused(grant, wait)
        if learned.lowered > lowered and learned.pace is not None:
            self.notes.learned("requests", SECOND, learned.pace, told=False)

    def _give_up(self, error: CallFailed, failing_since: float, call: Call, who: str) -> NoReturn:
        """Raise the call's error; where nobody was answered while it was tried, that the route is or may be down."""
        if self.breaker.answered_at < failing_since and error.reason in DOWN | DOUBTFUL:
            self.breaker.last_error = str(error)
            if error.reason in DOWN and not self.breaker.is_open:
                self.breaker.trip(self.clock())
            self.notes.left(call.call_id, who, error.attempts, error)
            raise self.down(error) from error
        self.notes.given_up(call.call_id, who, error)
        raise error

    def down(self, exhausted: CallFailed | None = None) -> RouteDown:
        """Return the error that nobody is answered here now."""
        place, error = f"{self.account.provider} at {self.account.base_url}", self.breaker.last_error
        return RouteDown(f"{place} is down: {error}: the same command goes on once it is back", exhausted)

    async def is_up(self) -> bool:
        """Whether the server answers a question that costs nothing."""
        try:
            url = self.account.base_url + (self.wire.models_path or "/")
            reply = await self.client.get(url, self.account.headers("GET", url), UP_SECONDS)
        except (CallFailed, RouteUnavailable):
            return False
        return reply.status < 500
