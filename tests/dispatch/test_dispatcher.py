"""Every fault of a provider, over real HTTP: answered in the end, set aside, or the route is lost."""

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from tasks.base.errors import AccountRefused, CallFailed, CallRejected, JobPaused, ModelUnknown, Overflow, RouteDown
from tasks.dispatch.breaker import RUN
from tasks.dispatch.client import Client
from tasks.dispatch.dispatcher import Dispatcher
from tasks.dispatch.exchange import Exchange
from tasks.dispatch.exchanger import Delivered, Exchanger
from tasks.dispatch.latency import ENOUGH
from tasks.dispatch.limits.gate import Limits
from tasks.dispatch.limits.rate import Rate
from tasks.providers.account import Account
from tasks.providers.call import Call, build_call
from tasks.providers.effective_limits import MINUTE
from tasks.providers.protocol import Answer, Completion, Message, Reply
from tasks.providers.wires.openai import OpenAI
from tests.conftest import KEY
from tests.quota import SPELLINGS, Allowance, Quota
from tests.simulator import FAULTS, Fault, Reset, Settings, Simulator, Truncated, error, serving


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with serving(Settings(context=8192)) as one:
        yield one


class Desk:
    """A dispatcher with a log of what it recorded and how long it would have slept.

    A sleep takes `nap` seconds, and `speed` of what was asked for; the clock runs `hurry` times as fast.
    """

    def __init__(
        self, url: str, *, key: str = KEY, model: str = "sim-model", nap: float = 0.0, speed: float = 0.0
    ) -> None:
        self.url, self.key, self.model, self.nap, self.speed = url, key, model, nap, speed
        self.concurrency, self.hedge, self.told_period = 8, False, MINUTE
        self.hurry = 1.0
        self.declared: tuple[Rate, ...] = ()
        self.recorded: list[Reply] = []
        self.recorded_calls: Counter[str] = Counter()
        self.counted: list[Exchange] = []
        self.reserved = 0
        self.late: list[asyncio.Task[None]] = []
        self.books = Books
        self.slept: list[float] = []
        self.paused: list[float] = []
        self.dispatcher: Dispatcher | None = None
        self.stopped: JobPaused | None = None

    @property
    def used(self) -> Dispatcher:
        assert self.dispatcher is not None
        return self.dispatcher

    def call(self, text: str) -> Call:
        path, body = OpenAI().completion(Completion(self.model, (Message("user", text),), 100))
        return build_call(Account("test", self.url), (path, body), prompt_tokens=100, max_tokens=100)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(self.nap + self.speed * seconds)

    async def deliver(self, text: str) -> Delivered:
        return await self.used.send(self.call(text), text, self.books(self))

    async def _send(self, texts: tuple[str, ...]) -> list[Delivered | BaseException]:
        account = Account("test", self.url, SecretStr(self.key))
        limits = Limits(self.declared, concurrency=self.concurrency)
        pause = limits.pause

        def noted(seconds: float) -> None:
            self.paused.append(seconds)
            pause(min(seconds, 0.01))

        limits.pause = noted  # type: ignore[method-assign]
        async with Client() as client:
            exchanger = Exchanger(
                client, account, OpenAI(), hedge=self.hedge, clock=lambda: time.monotonic() * self.hurry
            )
            self.dispatcher = Dispatcher(
                exchanger, limits, told_period=self.told_period, sleep=self._sleep, jitter=lambda: 0.5
            )
            return await asyncio.gather(*(self.deliver(text) for text in texts), return_exceptions=True)

    def send(self, *texts: str) -> list[Delivered | BaseException]:
        return asyncio.run(self._send(texts))

    def send_one(self, text: str) -> Delivered:
        (result,) = self.send(text)
        if isinstance(result, BaseException):
            raise result
        return result


@dataclass
class Books:
    """The books of one call, in its desk's."""

    desk: Desk

    def stopped(self) -> JobPaused | None:
        return self.desk.stopped

    async def reserve(self) -> None:
        self.desk.reserved += 1

    async def record(self, call: Call, reply: Reply, attempts: int, latency_ms: int) -> None:
        self.desk.recorded.append(reply)
        self.desk.recorded_calls[call.call_id] += 1

    def count(self, exchange: Exchange) -> None:
        self.desk.counted.append(exchange)

    def expect(self, late: "asyncio.Task[None]") -> None:
        self.desk.late.append(late)


def completion(choices: list[Any]) -> web.Response:
    return web.json_response({"id": "x", "choices": choices})


def html(status: int = 200) -> web.Response:
    return web.Response(text="<html><body>Welcome to nginx</body></html>", content_type="text/html", status=status)


EMPTY_TEXT = [{"message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}]
ONCE: dict[str, Fault] = {
    "429": lambda *_: error(429, "rate limit", headers={"Retry-After": "7"}),
    "500": lambda *_: error(500, "internal"),
    "502 in HTML": lambda *_: html(502),
    "503": lambda *_: error(503, "overloaded"),
    "529": lambda *_: error(529, "overloaded"),
    "408": lambda *_: error(408, "timeout"),
    "reset": lambda *_: Reset(),
    "truncated": lambda *_: Truncated(),
    "broken JSON": lambda *_: web.Response(text='{"id": "x", "choices": [', content_type="application/json"),
    "no choices": lambda *_: completion([]),
    "empty text": lambda *_: completion(EMPTY_TEXT),
    "HTML": lambda *_: html(),
    "a JSON array of numbers": lambda *_: web.json_response([1, 2]),
    "an error inside a 200": lambda *_: web.json_response({"error": {"message": "try again", "code": 503}}),
}


@pytest.mark.parametrize("name", ONCE)
def test_a_fault_that_passes_is_retried_until_answered(simulator: Simulator, name: str) -> None:
    fault = ONCE[name]
    simulator.settings.fault = lambda number, body: fault(number, body) if number <= 2 else None
    desk = Desk(simulator.url)
    delivered = desk.send_one("Hello")
    assert isinstance(delivered.answer, Answer)
    assert delivered.answer.text.startswith("A short answer")
    assert delivered.attempts == 3
    assert simulator.counts.requests == 3
    assert simulator.counts.answers == 1
    assert len(desk.slept) + len(desk.paused) == 2
    assert json.loads(desk.recorded[-1].body)["id"] == "sim-1"


@pytest.mark.parametrize("name", ["broken JSON", "no choices", "empty text", "HTML", "an error inside a 200"])
def test_a_reply_with_status_200_is_recorded_before_it_is_parsed(simulator: Simulator, name: str) -> None:
    fault = ONCE[name]
    simulator.settings.fault = lambda number, body: fault(number, body) if number == 1 else None
    desk = Desk(simulator.url)
    desk.send_one("Hello")
    assert [reply.status for reply in desk.recorded] == [200, 200]
    assert b"sim-1" not in desk.recorded[0].body


def test_a_refusal_is_never_recorded_as_an_answer(simulator: Simulator) -> None:
    simulator.settings.fault = lambda number, _: error(500, "internal") if number == 1 else None
    desk = Desk(simulator.url)
    desk.send_one("Hello")
    assert len(desk.recorded) == 1


def test_an_answer_waits_for_its_record(simulator: Simulator) -> None:
    """A reply whose record fails is no answer."""

    class FullBooks(Books):
        async def record(self, call: Call, reply: Reply, attempts: int, latency_ms: int) -> None:
            await super().record(call, reply, attempts, latency_ms)
            raise JobPaused("the disk is full")

    desk = Desk(simulator.url)
    desk.books = FullBooks
    with pytest.raises(JobPaused, match="disk is full"):
        desk.send_one("Hello")
    assert simulator.counts.requests == 1
    assert len(desk.recorded) == 1
    assert desk.counted == []


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_pauses_the_whole_route_for_at_least_that_long(simulator: Simulator, status: int) -> None:
    simulator.settings.fault = lambda number, _: (
        error(status, "slow down", headers={"Retry-After": "7"}) if number == 1 else None
    )
    desk = Desk(simulator.url)
    desk.send_one("Hello")
    assert len(desk.paused) == 1
    assert all(7 <= seconds <= 7.5 for seconds in desk.slept)  # the caller itself waits no longer
    assert 7 <= desk.paused[0] <= 7.5


def test_a_retry_after_that_is_a_date_is_obeyed(simulator: Simulator) -> None:
    far = "Fri, 01 Jan 2100 00:00:00 GMT"
    simulator.settings.fault = lambda number, _: (
        error(429, "slow down", headers={"Retry-After": far}) if number == 1 else None
    )
    desk = Desk(simulator.url)
    desk.send_one("Hello")
    assert 300 <= desk.paused[0] <= 301  # capped


def test_a_document_that_is_always_500_is_set_aside_while_others_are_answered(simulator: Simulator) -> None:
    simulator.settings.fault = lambda _, body: error(500, "cannot") if "POISON" in json.dumps(body) else None
    desk = Desk(simulator.url)
    results = desk.send("one", "POISON", "two", "three")
    assert [isinstance(result, Delivered) for result in results] == [True, False, True, True]
    bad = results[1]
    assert not isinstance(bad, Delivered | JobPaused)
    assert getattr(bad, "reason", None) == "http_500"
    assert getattr(bad, "attempts", None) == 6
    assert desk.used.lost is None
    assert not desk.used.breaker.is_open


def test_a_route_that_answers_others_is_not_lost_for_one_call(simulator: Simulator) -> None:
    """Even a reason that speaks of the whole route is this call's own where others got through."""
    simulator.settings.fault = lambda _, body: html(502) if "POISON" in json.dumps(body) else None
    simulator.settings.latency = 0.04
    desk = Desk(simulator.url, nap=0.03)
    bad, good = desk.send("POISON", "good")
    assert isinstance(good, Delivered)
    assert getattr(bad, "reason", None) == "http_502"
    assert not isinstance(bad, JobPaused)
    assert not desk.used.breaker.is_open


def test_a_server_that_is_down_closes_the_route_to_all_but_a_probe() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
    desk = Desk(url)
    with pytest.raises(RouteDown, match=r"is down.*can't connect.*once it is back") as caught:
        desk.send_one("Hello")
    assert caught.value.exhausted is not None
    assert caught.value.exhausted.attempts == 6
    assert desk.used.breaker.is_open
    assert desk.used.lost is None  # it may come back
    assert desk.recorded == []


def test_a_server_that_goes_down_is_said_to_be_down_by_the_calls_that_queued_before(simulator: Simulator) -> None:
    """Nobody was answered since the first of them was tried: how long it queued says nothing of the server."""
    simulator.settings.latency = 0.02
    simulator.settings.fault = lambda number, _: Reset() if number > 8 else None
    desk = Desk(simulator.url, nap=0.001)
    results = desk.send(*(f"text {number}" for number in range(30)))
    answered = [result for result in results if isinstance(result, Delivered)]
    assert len(answered) == 8
    assert all(isinstance(result, RouteDown) for result in results if not isinstance(result, Delivered))
    assert desk.used.breaker.is_open


def test_a_server_that_only_speaks_html_is_said_to_be_down(simulator: Simulator) -> None:
    simulator.settings.fault = lambda *_: html()
    with pytest.raises(RouteDown, match="HTML"):
        Desk(simulator.url).send_one("Hello")


def test_a_refused_account_stops_every_call_to_it(simulator: Simulator) -> None:
    desk = Desk(simulator.url, key="wrong")
    results = desk.send(*(f"text {number}" for number in range(50)))
    assert all(isinstance(result, AccountRefused) for result in results)
    # Only those that were in flight together when the first refusal came.
    assert 1 <= simulator.counts.requests <= 8


@pytest.mark.parametrize(("status", "words"), [(402, "no credit"), (403, "forbidden"), (429, "insufficient_quota")])
def test_no_credit_and_a_spent_quota_refuse_the_account_at_once(simulator: Simulator, status: int, words: str) -> None:
    simulator.settings.fault = lambda *_: error(status, words)
    with pytest.raises(AccountRefused):
        Desk(simulator.url).send_one("Hello")
    assert simulator.counts.requests == 1


def test_an_unknown_model_is_said_at_the_first_call(simulator: Simulator) -> None:
    desk = Desk(simulator.url, model="no-such-model")
    with pytest.raises(ModelUnknown, match="no-such-model"):
        desk.send_one("Hello")
    assert simulator.counts.requests == 1


def test_an_overflow_is_set_aside_without_a_retry(simulator: Simulator) -> None:
    simulator.settings.context = 50
    desk = Desk(simulator.url)
    with pytest.raises(Overflow):
        desk.send_one("Hello")
    assert simulator.counts.requests == 1


def test_a_bad_request_is_set_aside_without_a_retry(simulator: Simulator) -> None:
    simulator.settings.fault = lambda *_: error(400, "bad parameter")
    with pytest.raises(CallRejected) as caught:
        Desk(simulator.url).send_one("Hello")
    assert (caught.value.reason, caught.value.status, caught.value.attempts) == ("http_400", 400, 1)


def test_a_stopped_job_asks_nobody(simulator: Simulator) -> None:
    desk = Desk(simulator.url)
    desk.stopped = JobPaused("enough")
    with pytest.raises(JobPaused, match="enough"):
        desk.send_one("Hello")
    assert simulator.counts.requests == 0


def test_calls_in_flight_are_never_more_than_the_limit(simulator: Simulator) -> None:
    simulator.settings.latency = 0.02
    results = Desk(simulator.url).send(*(f"text {number}" for number in range(40)))
    assert all(isinstance(result, Delivered) for result in results)
    assert simulator.counts.most_in_flight == 8


def test_a_call_that_a_busy_route_refuses_often_is_answered_while_others_are(simulator: Simulator) -> None:
    refusals = iter(range(6))  # the sixth alone would be its last, were it a failure
    simulator.settings.fault = lambda _, body: (
        error(429, "rate limit") if "unlucky" in str(body) and next(refusals, None) is not None else None
    )
    results = Desk(simulator.url).send("unlucky", *(f"lucky {number}" for number in range(200)))
    (unlucky, *lucky) = results
    assert isinstance(unlucky, Delivered)
    assert unlucky.attempts == 7
    assert all(isinstance(one, Delivered) for one in lucky)


# A route that is down, and comes back


def test_a_route_that_is_down_is_asked_by_one_probe_and_by_nobody_else(simulator: Simulator) -> None:
    async def some() -> None:
        desk = Desk(simulator.url)
        await desk._send(())
        async with Client() as desk.used.exchanger.sender:
            breaker = desk.used.breaker
            for number in range(RUN):
                breaker.failed(str(number), str(number), "HTTP 503", 0.0, first=True)
            breaker.trip(desk.used.clock() + 1e6)
            with pytest.raises(RouteDown, match="HTTP 503"):
                await desk.deliver("early")
            assert simulator.counts.requests == 0
            breaker.trip(-1e6)
            assert breaker.admits("prober", desk.used.clock())
            with pytest.raises(RouteDown):
                await desk.deliver("another")
            assert isinstance(await desk.deliver("prober"), Delivered)
            assert isinstance(await desk.deliver("another"), Delivered)
            assert simulator.counts.requests == 2

    asyncio.run(some())


def test_a_refusal_of_a_call_is_an_answer_to_whether_the_route_is_up(simulator: Simulator) -> None:
    simulator.settings.fault = lambda _, body: error(400, "no") if "BAD" in str(body) else error(500, "oh")
    desk = Desk(simulator.url)
    few = [f"text {number}" for number in range(RUN - 1)]

    async def some() -> None:
        await desk._send(())
        async with Client() as desk.used.exchanger.sender:
            for text in (*few, "BAD", *few):
                with pytest.raises(CallFailed):
                    await desk.deliver(text)

    asyncio.run(some())
    assert not desk.used.breaker.is_open


def test_an_up_server_is_seen_without_a_call_that_costs(simulator: Simulator) -> None:
    async def seen(url: str) -> bool:
        desk = Desk(url)
        await desk._send(())
        async with Client() as desk.used.exchanger.sender:
            return await desk.used.exchanger.is_up()

    assert asyncio.run(seen(simulator.url))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert not asyncio.run(seen(f"http://127.0.0.1:{port}/v1"))
    assert simulator.counts.requests == 0


# All faults together


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hang is ended after a fraction of a second."""
    monkeypatch.setattr(Call, "seconds", property(lambda _: 0.3))
    monkeypatch.setattr("tasks.dispatch.deadlines.LOOK_SECONDS", 0.05)


async def delivered(desk: Desk, text: str) -> Delivered:
    """Send as a job does: a route that was down is asked again once it lets one through."""
    while True:
        try:
            return await desk.deliver(text)
        except RouteDown:
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("hasty")
def test_every_call_comes_to_an_answer_though_each_fault_befalls_5_percent(simulator: Simulator) -> None:
    simulator.settings.chaos = dict.fromkeys(FAULTS, 0.05)

    desk = Desk(simulator.url, speed=0.02)
    desk.concurrency, desk.hurry = 64, 15.0

    async def some() -> list[Delivered | BaseException]:
        await desk._send(())
        async with Client() as desk.used.exchanger.sender:
            return await asyncio.gather(
                *(delivered(desk, f"text {number}") for number in range(200)), return_exceptions=True
            )

    results = asyncio.run(some())
    assert [result for result in results if not isinstance(result, Delivered)] == []
    assert set(simulator.counts.faults) == set(FAULTS)
    # On a busy machine an answer may come after the fraction of a second in which a hang is ended.
    timeouts = sum(lost.error is not None and lost.error.reason == "timeout" for lost in desk.counted)
    late = simulator.counts.answers - 200
    assert 0 <= late <= timeouts - simulator.counts.faults["hang"]
    assert len(simulator.counts.answered) == 200


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_that_stays_is_told_and_never_asked_for_ever(simulator: Simulator, name: str) -> None:
    simulator.settings.chaos = {name: 1.0}
    desk = Desk(simulator.url)
    desk.hurry = 400.0 if name == "http_429" else 1.0  # a refusal is waited for: two minutes
    with pytest.raises((CallFailed, RouteDown)):
        desk.send_one("Hello")
    assert 3 <= simulator.counts.requests <= 60


# Limits that are told, and a second request


@pytest.mark.parametrize("spelling", sorted(set(SPELLINGS) - {"openrouter"}))
def test_limits_that_answers_tell_are_taken_over(simulator: Simulator, spelling: str) -> None:
    simulator.settings.quota = Quota(
        [Allowance("requests", 6000), Allowance("tokens", 600_000)], spelling, start=time.monotonic()
    )
    desk = Desk(simulator.url)
    desk.told_period = 1.0 if spelling.startswith("together") else MINUTE
    desk.send_one("Hello")
    paces = {unit: rate.limit / rate.period for (unit, _), rate in desk.used.limits.rates.items()}
    expected = {"mistral-old": {"tokens": 10_000.0}, "ietf": {"requests": 100.0}}
    assert paces == pytest.approx(expected.get(spelling, {"requests": 100.0, "tokens": 10_000.0}))


def test_tokens_that_were_not_used_are_given_back_to_the_limits(simulator: Simulator) -> None:
    desk = Desk(simulator.url)
    desk.declared = (Rate("tokens", 8000),)
    desk.concurrency = 1
    began = time.monotonic()
    # 200 are reserved and 6 used, of 8,000 a minute: half of it, were they kept.
    assert all(isinstance(one, Delivered) for one in desk.send(*(f"Hello {number}" for number in range(20))))
    assert time.monotonic() - began < 20


def test_a_hedged_call_is_overtaken_and_both_answers_are_counted(simulator: Simulator) -> None:
    simulator.settings.delays = lambda number: 4.0 if number == ENOUGH + 1 else 0.01

    async def some() -> tuple[Desk, Delivered]:
        desk = Desk(simulator.url)
        desk.hedge = True
        await desk._send(tuple(f"text {number}" for number in range(ENOUGH)))
        async with Client() as desk.used.exchanger.sender:
            got = await desk.deliver("slow")
            quick = len(desk.counted)
            assert desk.used.exchanger.in_flight == desk.used.limits.in_flight == 1  # the slower one keeps its place
            await asyncio.gather(*desk.late)
            await asyncio.sleep(0)
            assert (quick, len(desk.counted)) == (ENOUGH + 1, ENOUGH + 2)
            return desk, got

    desk, got = asyncio.run(some())
    assert got.hedged
    assert got.latency_ms < 4000
    slow = desk.counted[-1]
    assert slow.error is not None
    assert (slow.error.reason, slow.latency_ms > 2000) == ("hedged", True)
    assert slow.paid is not None
    assert slow.paid.completion_tokens == got.answer.completion_tokens
    assert got.attempts == 1
    assert simulator.counts.requests == ENOUGH + 2
    assert set(desk.recorded_calls.values()) == {1}
    assert desk.used.exchanger.in_flight == desk.used.limits.in_flight == 0


def test_a_slower_answer_that_cannot_be_read_is_counted_as_lost(simulator: Simulator) -> None:
    simulator.settings.delays = lambda number: 2.0 if number == ENOUGH + 1 else 0.01
    spoiled = {ENOUGH + 1: {"slow": "broken_json"}}

    def spoil(number: int, _: object) -> None:
        simulator.settings.poison = spoiled.get(number, {})

    simulator.settings.fault = spoil

    async def some() -> Desk:
        desk = Desk(simulator.url)
        desk.hedge = True
        await desk._send(tuple(f"text {number}" for number in range(ENOUGH)))
        async with Client() as desk.used.exchanger.sender:
            await desk.deliver("slow")
            await asyncio.gather(*desk.late)
            return desk

    lost = asyncio.run(some()).counted[-1]
    assert lost.error is not None
    assert (lost.paid, lost.error.reason) == (None, "not_json")


def test_a_call_that_waited_while_its_format_was_dropped_does_not_show_that_the_route_takes_one(
    simulator: Simulator,
) -> None:
    """It is sent without the format: what is answered then tells nothing of a route that breaks over it."""
    simulator.settings.latency = 0.2

    async def some() -> Desk:
        desk = Desk(simulator.url)
        desk.concurrency = 1
        await desk._send(())
        asking = desk.call("second")._replace(format="temperature")
        async with Client() as desk.used.exchanger.sender:
            first = asyncio.create_task(desk.deliver("first"))
            second = asyncio.create_task(desk.used.send(asking, "second", Books(desk)))
            await asyncio.sleep(0.05)
            desk.used.adjustments.drop("temperature")
            await asyncio.gather(first, second)
            return desk

    desk = asyncio.run(some())
    assert not desk.used.takes_format
    assert ["temperature" in body for body in simulator.counts.prompts] == [True, False]


def test_without_hedge_no_call_is_sent_twice(simulator: Simulator) -> None:
    simulator.settings.delays = lambda number: 0.5 if number > ENOUGH else 0.0

    async def some() -> Delivered:
        desk = Desk(simulator.url)
        await desk._send(tuple(f"text {number}" for number in range(ENOUGH)))
        async with Client() as desk.used.exchanger.sender:
            return await desk.deliver("slow")

    assert not asyncio.run(some()).hedged
    assert simulator.counts.requests == ENOUGH + 1
