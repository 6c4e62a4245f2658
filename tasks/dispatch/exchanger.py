"""Exchange one request with a route for what is in its reply, recorded before it is read, and counted in any case."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from tasks.base.errors import CallFailed, CallRejected, RouteUnavailable
from tasks.dispatch.exchange import HEDGED, LOST, Exchange, Flight, Paid, whole
from tasks.dispatch.hedging import Enter, Race, first_reply
from tasks.dispatch.latency import LatencyWindow
from tasks.providers.account import Account
from tasks.providers.adjustments import Adjustments
from tasks.providers.protocol import Answer, Reply, Wire
from tasks.providers.vectors import Vectors

UP_SECONDS = 10.0


class Delivered(NamedTuple):
    """An answer with how it came; `hedged`: it was asked for twice."""

    answer: Paid
    attempts: int
    latency_ms: int
    hedged: bool = False


class Sender(Protocol):
    """Who sends requests and brings the replies: the HTTP client, or a model in this process."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Coroutine[Any, Any, Reply]:
        """POST `body`. Raises Transient and CertificateRefused."""
        ...

    def get(self, url: str, headers: Mapping[str, str], seconds: float) -> Coroutine[Any, Any, Reply]:
        """GET a small document. Raises as `post` does."""
        ...


@dataclass(slots=True)
class Exchanger:
    """Sends the requests to one route; `heard` is called with every reply before it is parsed."""

    sender: Sender
    account: Account
    wire: Wire
    hedge: bool = False
    clock: Callable[[], float] = time.monotonic
    adjustments: Adjustments = field(default_factory=Adjustments)
    spread: LatencyWindow = field(default_factory=LatencyWindow)
    heard: Callable[[Reply], None] = lambda _: None
    in_flight: int = 0

    async def exchange(self, flight: Flight, enter: Enter) -> Delivered:
        """Send a request and return its answer; `enter` waits until the limits allow a second request.

        Raises as the sender and the wire do.
        """
        self.in_flight += 1
        try:
            sent, hedged = self.clock(), False
            if self.hedge:
                reply, hedged = await self._hedged(flight, enter)
            else:
                with flight.sent_at(self.clock):
                    reply = await self._post(flight)
            reply, seconds = self.account.hidden(reply), self.clock() - sent
            self.heard(reply)
            latency_ms, cancelled = round(seconds * 1000), None
            if reply.status < 300:
                _, cancelled = await whole(flight.books.record(flight.call, reply, flight.attempt, latency_ms))
        finally:
            self.in_flight -= 1
        answer = self._counted(reply, flight, latency_ms)
        if cancelled is not None:
            raise cancelled
        self.spread.add(seconds)
        return Delivered(answer, flight.attempt, latency_ms, hedged)

    def read(self, reply: Reply, inputs: int) -> Paid:
        """Return what is in a reply: vectors of so many texts, or an answer. Raises as the wire does."""
        return self.wire.vectors(reply, inputs) if inputs else self.wire.answer(reply)

    async def is_up(self) -> bool:
        """Whether the server answers a request that costs nothing."""
        try:
            url = self.account.base_url + (self.wire.models_path or "/")
            reply = await self.sender.get(url, self.account.headers("GET", url), UP_SECONDS)
        except (CallFailed, RouteUnavailable):
            return False
        return reply.status < 500

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

    def _post(self, flight: Flight) -> Coroutine[Any, Any, Reply]:
        call, account = flight.call, self.account
        url, seconds = account.base_url + call.path, self.spread.deadline(call.seconds)
        body = self.adjustments.applied(call.body)
        return self.sender.post(url, account.headers("POST", url, body), body, seconds)

    async def _hedged(self, flight: Flight, enter: Enter) -> tuple[Reply, bool]:
        """Ask a second time where the first answer is slow; it takes its place in the limits like any other."""

        async def post() -> Reply:
            with flight.sent_at(self.clock):
                return await self._post(flight)

        race = await first_reply(post, enter, self.spread.slow())
        if race.other is not None:
            late = asyncio.create_task(self._heard_out(flight, race))
            flight.first = late if race.is_second else None
            flight.books.expect(late)
        return race.reply, race.other is not None

    async def _heard_out(self, flight: Flight, race: Race) -> None:
        """Wait for the slower of two requests, and count its cost."""
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
        """Count an answer that came after the other one; one that can't be parsed is lost."""
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
