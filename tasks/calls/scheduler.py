"""Choose the route for a document; if all are down, wait for one for a limited time.

When calls fail, either the route is down or these documents cause it. A document
whose call used up its attempts becomes a suspect: others are sent before it is tried
again. Once only suspects are left, and they are few compared with the answered calls, or the
server is seen to be up, the documents and not the route are at fault: their calls are given up.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol

from typing_extensions import TypeVar

from tasks.base.errors import JobPaused, NoRouteLeft
from tasks.calls.call_context import DocumentProgress
from tasks.calls.progress import Meter
from tasks.calls.route_client import RouteClient
from tasks.dispatch.dispatcher import Dispatcher, Sleep
from tasks.dispatch.retry import DOUBTFUL

LOOK_AGAIN_SECONDS = 0.25
# The most suspects per answered call, and their most at all where the server is seen to be up.
FEW, VERY_FEW = 0.05, 3


class RouteUser(Protocol):
    """What asks one route, for a text's answer or its vectors."""

    @property
    def client(self) -> RouteClient:
        """The route, as this job asks it."""
        ...


S = TypeVar("S", bound=RouteUser, default=RouteUser)


@dataclass(slots=True)
class RouteScheduler(Generic[S]):
    """The documents of a job that are under way, and those of them that wait for a route.

    With `shares`, by the routes' labels, documents are spread over all routes so; where a
    route's limits hold its share up, the others take more.
    """

    users: Sequence[S]
    meter: Meter
    stop: Callable[[JobPaused], None]
    check: Callable[[], None]
    patience: float
    shares: Mapping[str, float] | None = None
    listed_all: bool = False
    # `listed` is counted by the thread that lists, the others by the event loop.
    listed: int = 0
    read: int = 0
    ended: int = 0
    clock: Callable[[], float] = time.monotonic
    sleep: Sleep = asyncio.sleep
    _given: Counter[str] = field(default_factory=Counter)
    _suspects: set[str] = field(default_factory=set)
    _down_since: float | None = None
    _seen_up: tuple[float, bool] = (-1.0, False)

    async def route(self, progress: DocumentProgress, preferred: S | None = None) -> S:
        """Return the first route that is available for a document (`preferred` first), waiting until there is one.

        Raises the reason for which the job stopped: every route lost, or down for
        longer than the patience.
        """
        try:
            while True:
                self.check()
                found = self._usable(progress, preferred) or await self._beyond_doubt(progress)
                if found is not None:
                    return found
                if self._all_down:
                    self._lose_patience()
                await self.sleep(LOOK_AGAIN_SECONDS)
        finally:
            self._suspects.discard(progress.document_id)

    def left(self, progress: DocumentProgress) -> None:
        """Count a document that has come to its end, or is left: it probes no more."""
        self.ended += 1
        for dispatcher in self._dispatchers:
            dispatcher.breaker.release(progress.document_id)

    @property
    def unread(self) -> int:
        """Documents that were listed and not read yet."""
        return self.listed - self.read

    @property
    def _dispatchers(self) -> list[Dispatcher]:
        return [user.client.dispatcher for user in self.users]

    def _usable(self, progress: DocumentProgress, preferred: S | None) -> S | None:
        first = [preferred] if preferred is not None else []
        for user in [*first, *self._in_turn()]:
            dispatcher = user.client.dispatcher
            if dispatcher.lost is not None or (not dispatcher.breaker.is_open and _suspected(progress, user)):
                continue
            if dispatcher.breaker.admits(progress.document_id, self.clock()):
                if not dispatcher.breaker.is_open:
                    self._down_since, self.meter.waiting = None, ""
                self._given[user.client.route.label] += 1
                return user
        return None

    def _in_turn(self) -> list[S]:
        """Return the routes to be tried, in order; of a pool those that take more, the one behind its share first."""
        shares = self.shares
        if shares is None:
            return list(self.users)
        pool = [one for one in self.users if shares[one.client.route.label] > 0]
        if all(one.client.dispatcher.lost or one.client.dispatcher.breaker.is_open for one in pool):
            return list(self.users)
        open_ones = [one for one in pool if one.client.dispatcher.limits.wants_more]
        return sorted(open_ones, key=lambda one: self._given[one.client.route.label] / shares[one.client.route.label])

    async def _beyond_doubt(self, progress: DocumentProgress) -> S | None:
        """Give up a suspect's calls if only suspects are left and the route isn't to blame; then return the route."""
        user = next((one for one in self.users if _suspected(progress, one)), None)
        if user is None:
            return None
        self._suspects.add(progress.document_id)
        if not self.only_suspects:
            return None
        if await self._document_is_at_fault(progress, user.client.dispatcher):
            for call_id, error in progress.exhausted.items():
                user.client.dispatcher.notes.given_up(call_id, progress.document_id, error)
            progress.given_up |= progress.exhausted
            progress.exhausted_at.clear()
            return user
        if not user.client.dispatcher.breaker.is_open:
            user.client.dispatcher.breaker.trip(self.clock())  # so that the suspects are tried again, one at a time
        return None

    async def _document_is_at_fault(self, progress: DocumentProgress, dispatcher: Dispatcher) -> bool:
        """Whether a failure is the documents' and not the route's: they are few, and it answered the others."""
        count = len(self._suspects)
        if not all(error.reason in DOUBTFUL for error in progress.exhausted.values()):
            return False
        return count <= FEW * dispatcher.breaker.answered or (count <= VERY_FEW and await self._is_up(dispatcher))

    @property
    def only_suspects(self) -> bool:
        """Whether every document that is left is suspected to be the trouble itself."""
        return self.listed_all and len(self._suspects) >= self.listed - self.ended

    async def _is_up(self, dispatcher: Dispatcher) -> bool:
        """Ask for the model list, which costs nothing, at most every few seconds."""
        now = self.clock()
        if now - self._seen_up[0] > 20 * LOOK_AGAIN_SECONDS:
            self._seen_up = (now, False)
            self._seen_up = (now, await dispatcher.exchanger.is_up())
        return self._seen_up[1]

    @property
    def _all_down(self) -> bool:
        return all(one.lost is not None or one.breaker.is_open for one in self._dispatchers)

    def _lose_patience(self) -> None:
        """Stop the job where every route is lost, or has been down for too long."""
        dispatchers = self._dispatchers
        down = [one for one in dispatchers if one.lost is None]
        now = self.clock()
        reasons = [one.down() if one.lost is None else one.lost for one in dispatchers]
        self._down_since = now if self._down_since is None else self._down_since
        left = self.patience - (now - self._down_since)
        if down and left > 0:
            self.meter.waiting = f"{reasons[-1]} (waiting for up to {left / 60:.0f} min more)"
            return
        reason = NoRouteLeft(reasons[-1])
        self.stop(reason)
        raise reason


def _suspected(progress: DocumentProgress, user: RouteUser) -> bool:
    """Whether a document's call used up its attempts at a route, and nobody else was answered there since."""
    dispatcher, when = user.client.dispatcher, progress.exhausted_at.get(user.client.route)
    return dispatcher.lost is None and when is not None and dispatcher.breaker.answered_at <= when
