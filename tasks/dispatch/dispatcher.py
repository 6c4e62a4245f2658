"""Send calls to one route until each has an answer or a reason why not."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tasks.dispatch.client import Client
from tasks.dispatch.limits import Limits, Sleep
from tasks.dispatch.retries import RATE_LIMITED, ROUTE_WIDE, Policy, wait_before_retry
from tasks.errors import CallFailed, JobStopped, RouteDown, RouteLost
from tasks.providers.account import Account
from tasks.providers.wire import Answer, Reply, Wire

# A call that is refused as often as this while others are answered is too large for the route.
MOST_REFUSALS = 60


@dataclass(frozen=True, slots=True)
class Call:
    """One request, ready to send: `tokens` is its prompt and its answer's most."""

    call_id: str
    path: str
    body: bytes
    tokens: int
    prompt_tokens: int
    max_tokens: int

    @property
    def seconds(self) -> float:
        """The most an exchange may take: slow models read 50 and write 5 tokens a second."""
        return 60 + self.prompt_tokens / 50 + self.max_tokens / 5


@dataclass(frozen=True, slots=True)
class Delivered:
    """An answer with how it came."""

    answer: Answer
    attempts: int
    latency_ms: int


# Makes a paid reply durable before anybody parses it: (call, reply, attempts, latency in ms).
Record = Callable[[Call, Reply, int, int], Awaitable[None]]


@dataclass(slots=True)
class Dispatcher:
    """All calls to one route go through here; it belongs to one event loop.

    Time, sleep and luck are arguments.
    """

    client: Client
    account: Account
    wire: Wire
    limits: Limits
    policy: Policy = field(default_factory=Policy)
    sleep: Sleep = asyncio.sleep
    luck: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    lost: RouteLost | None = None
    in_flight: int = 0
    _answered_at: float = -1.0

    async def send(self, call: Call, record: Record, stopped: Callable[[], JobStopped | None]) -> Delivered:
        """Ask until answered; every paid reply goes to `record` before it is parsed.

        Raises SetAside for this call, RouteLost for the route, or what `stopped`
        returns once the job is to ask nobody any more.
        """
        failing_since: float | None = None
        attempt = tries = 0
        while True:
            attempt += 1
            tries += 1
            try:
                return await self._attempt(call, attempt, record, stopped)
            except CallFailed as error:
                error.attempts = attempt
                failing_since = failing_since or self.clock()
                if error.reason in RATE_LIMITED and self._answered_at > failing_since and attempt < MOST_REFUSALS:
                    # The route is busy, not down: others are answered, and so will this one be.
                    failing_since, tries = self.clock(), 1
                await self._wait_or_raise(error, tries, failing_since)
            except RouteLost as error:
                self.lost = self.lost or error
                raise

    async def _attempt(
        self, call: Call, attempt: int, record: Record, stopped: Callable[[], JobStopped | None]
    ) -> Delivered:
        """One exchange within the limits, recorded before it is parsed."""
        grant = await self.limits.enter(call.tokens)
        used: int | None = None
        try:
            reason = self.lost or stopped()
            if reason is not None:
                used = 0
                raise reason
            self.in_flight += 1
            try:
                sent = self.clock()
                url = self.account.base_url + call.path
                reply = await self.client.post(url, self.account.headers(), call.body, call.seconds)
                reply = self.account.hidden(reply)
                latency = round((self.clock() - sent) * 1000)
                if reply.status < 300:
                    await record(call, reply, attempt, latency)
            finally:
                self.in_flight -= 1
            answer = self.wire.answer(reply)
            if answer.prompt_tokens is not None and answer.completion_tokens is not None:
                used = answer.prompt_tokens + answer.completion_tokens
            self._answered_at = self.clock()
            return Delivered(answer, attempt, latency)
        finally:
            self.limits.leave(grant, used)

    async def _wait_or_raise(self, error: CallFailed, tries: int, failing_since: float) -> None:
        wait = wait_before_retry(error, tries, self.luck(), self.policy)
        if wait is not None:
            if error.reason in RATE_LIMITED:
                # The whole route was refused: everybody waits, not only this call.
                self.limits.pause(wait)
            else:
                await self.sleep(wait)
            return
        if error.reason in ROUTE_WIDE and self._answered_at < failing_since:
            # Nobody was answered there for as long as this call was tried.
            self.lost = self.lost or RouteDown(
                f"{self.account.provider} at {self.account.base_url} is down: {error} ({error.attempts} attempts): "
                "the same command goes on once it is back"
            )
            raise self.lost from error
        raise error
