"""Send calls to one route until each has an answer or a reason why not."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

from tasks.base.errors import AccountRefused, CallFailed, RouteDown, RouteUnavailable
from tasks.dispatch.breaker import Breaker
from tasks.dispatch.call_events import CallEvents
from tasks.dispatch.exchange import Bookkeeper, Flight, Paid
from tasks.dispatch.exchanger import Delivered, Exchanger
from tasks.dispatch.hedging import Leave
from tasks.dispatch.latency import Calibration
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
from tasks.providers.adjustments import Adjustments
from tasks.providers.call import Call
from tasks.providers.effective_limits import SECOND
from tasks.providers.protocol import Answer, Reply
from tasks.providers.rate_limit_headers import advertised_limits
from tasks.providers.vectors import Vectors

# Headers repeat the same limits: they are read at most this often, and at every refusal.
TOLD_SECONDS = 0.25
# A route that refuses every call for this long counts as down.
REFUSED_SECONDS = 120.0

Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class Tries:
    """How often a call was sent, how many of its failures count towards the retries, and since when it has failed."""

    attempt: int = 0
    count: int = 0
    failing_since: float | None = None


@dataclass(slots=True)
class Dispatcher:
    """All calls to one route go through here; it belongs to one event loop.

    Sleep and jitter are arguments, time is the exchanger's. `told_period` is the period in seconds of
    limits whose headers don't say it.
    """

    exchanger: Exchanger
    limits: Limits
    policy: Policy = field(default_factory=Policy)
    told_period: float = 60.0
    sleep: Sleep = asyncio.sleep
    jitter: Callable[[], float] = random.random
    lost: RouteUnavailable | None = None
    breaker: Breaker = field(default_factory=Breaker)
    # Whether a call that asks for a format, of the answer or of vectors, was ever answered.
    takes_format: bool = False
    calibration: Calibration = field(default_factory=Calibration)
    # Of prompts whose tokens are a bound.
    bounds: Calibration = field(default_factory=Calibration)
    notes: CallEvents = field(default_factory=CallEvents)
    # All routes of the account, this one among them.
    siblings: "list[Dispatcher]" = field(default_factory=list)
    clock: Callable[[], float] = field(init=False)
    adjustments: Adjustments = field(init=False)
    _told_at: float = -1.0

    def __post_init__(self) -> None:
        """Learn limits from every reply, and record when the breaker opens or closes."""
        self.clock, self.adjustments = self.exchanger.clock, self.exchanger.adjustments
        self.exchanger.heard = self._learn
        self.breaker.turned = lambda down: self.notes.turned(down=down)

    async def send(self, call: Call, document_id: str, books: Bookkeeper) -> Delivered:
        """Send a document's call until it is answered; `books` accounts for every exchange.

        Raises CallRejected for this call, RouteUnavailable for the route (RouteDown where it may
        recover), BudgetReached, or the reason why the job sends no more calls.
        """
        tries = Tries()
        while True:
            tries.attempt, tries.count = tries.attempt + 1, tries.count + 1
            call, spelled = self._as_sent(call), self.adjustments.count
            try:
                await books.reserve()
                return await self._attempt(call, document_id, tries.attempt, books)
            except CallFailed as error:
                if error.paid is None and self.adjustments.learn(error.status, error.words, spelled):
                    continue  # as the route takes it
                error.attempts = tries.attempt
                await self._wait_to_retry(error, tries, call, document_id)
            except RouteUnavailable as error:
                self._left(error, tries, call, document_id)
                raise

    async def _wait_to_retry(self, error: CallFailed, tries: "Tries", call: Call, document_id: str) -> None:
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
            self._give_up(error, since, call, document_id)
        self.notes.retried(call.call_id, document_id, tries.attempt, error, None if by_limit else wait)
        if not by_limit:
            await self.sleep(wait)

    def _left(self, error: RouteUnavailable, tries: "Tries", call: Call, document_id: str) -> None:
        self.notes.left(call.call_id, document_id, tries.attempt, error)
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

    async def _attempt(self, call: Call, document_id: str, attempt: int, books: Bookkeeper) -> Delivered:
        """Make one exchange within the limits, and count it however it ends."""
        self._check(call, document_id, books)
        asked = self.limits.now()
        grant = await self.limits.enter(self._demand(call))
        flight = Flight(call, attempt, books)
        used: Demand | None = Demand(0, 0)
        try:
            self._check(call, document_id, books)
            call = flight.call = self._as_sent(call)  # others may have learned meanwhile what the route doesn't take
            self.notes.sent(call.call_id, document_id, attempt, grant.at - asked, self.limits.held_by)
            used = None
            delivered = await self.exchanger.exchange(flight, partial(self._enter_again, call))
            used = self._used(call, delivered.answer)
        except CallFailed as error:
            used = self._used(call, error.paid) if isinstance(error.paid, Answer | Vectors) else used
            self._failed(error, grant, call, document_id, attempt)
            raise
        else:
            self.limits.accepted(grant)
            self.breaker.succeeded(self.clock(), first=attempt == 1)
            self.takes_format = self.takes_format or call.format is not None
            return delivered
        finally:
            if flight.first is None:
                self.limits.leave(grant, used)
            else:  # the first request is still under way and keeps its place in the limits
                flight.first.add_done_callback(lambda _: self.limits.leave(grant, used))

    async def _enter_again(self, call: Call) -> Leave:
        """Wait until the limits let a call be sent a second time; return what frees its place."""
        grant = await self.limits.enter(self._demand(call))
        return lambda: self.limits.leave(grant, None)

    def _demand(self, call: Call) -> Demand:
        """What a call asks of the limits: its prompt and its answer's most."""
        return Demand(self._calibration(call).prompt(call.prompt_tokens), call.max_tokens)

    def _calibration(self, call: Call) -> Calibration:
        return self.bounds if call.is_bound else self.calibration

    def _used(self, call: Call, answer: Paid) -> Demand | None:
        """Return the tokens that an answer says it took, and learn from them."""
        if answer.prompt_tokens is None or answer.completion_tokens is None:
            return None
        self._calibration(call).add(call.prompt_tokens, answer.prompt_tokens)
        return Demand(answer.prompt_tokens, answer.completion_tokens)

    def _check(self, call: Call, document_id: str, books: Bookkeeper) -> None:
        """Raise the reason why no call may be sent to this route any more, or for now."""
        reason = self.lost or books.stopped()
        if reason is None and not self.breaker.admits(document_id, self.clock(), call.call_id):
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

    def _failed(self, error: CallFailed, grant: Grant, call: Call, document_id: str, attempt: int) -> None:
        """Tell the limits and the breaker what a failure says of the route."""
        self.notes.refused(call.call_id, document_id, attempt, error)
        wait = getattr(error, "retry_after", None)
        wait = None if wait is None else min(wait, self.policy.longest_retry_after)
        if error.reason in RATE_LIMITED:
            self._refused(grant, wait)
            return
        self.limits.accepted(grant)
        if error.reason in BUSY and wait is not None:
            self.limits.pause(wait)
        if error.reason in ROUTE_WIDE and not self._breaks_over_format(call, error):
            self.breaker.failed(call.call_id, document_id, str(error), self.clock(), first=attempt == 1)
        else:
            self.breaker.alive()

    def _breaks_over_format(self, call: Call, error: CallFailed) -> bool:
        """Whether a failure may be due to a format that this route has never accepted, rather than to the route."""
        return call.format is not None and not self.takes_format and error.status in (500, 501)

    def _as_sent(self, call: Call) -> Call:
        """Return a call that asks for no format any more where that is left out of what is sent."""
        return call._replace(format=None) if call.format in self.adjustments.dropped else call

    def _refused(self, grant: Grant, wait: float | None) -> None:
        """Report a refusal to the limits, and record the event if they lower their pace."""
        learned = self.limits.learned
        lowered = learned.lowered
        self.limits.refused(grant, wait)
        if learned.lowered > lowered and learned.pace is not None:
            self.notes.learned("requests", SECOND, learned.pace, told=False)

    def _give_up(self, error: CallFailed, failing_since: float, call: Call, document_id: str) -> NoReturn:
        """Raise the call's error, or RouteDown if no call was answered meanwhile and the route is or may be down."""
        if self.breaker.answered_at < failing_since and error.reason in DOWN | DOUBTFUL:
            self.breaker.last_error = str(error)
            if error.reason in DOWN and not self.breaker.is_open:
                self.breaker.trip(self.clock())
            self.notes.left(call.call_id, document_id, error.attempts, error)
            raise self.down(error) from error
        self.notes.given_up(call.call_id, document_id, error)
        raise error

    def down(self, exhausted: CallFailed | None = None) -> RouteDown:
        """Return the error that nobody is answered here now."""
        account = self.exchanger.account
        place, error = f"{account.provider} at {account.base_url}", self.breaker.last_error
        return RouteDown(f"{place} is down: {error}: the same command goes on once it is back", exhausted)
