"""Every fault of a provider, over real HTTP: answered in the end, set aside, or the route is lost."""

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from tasks.dispatch.client import Client
from tasks.dispatch.dispatcher import Call, Delivered, Dispatcher
from tasks.dispatch.limits import Limits
from tasks.errors import AccountRefused, JobStopped, ModelUnknown, Overflow, RouteDown, SetAside
from tasks.providers.account import Account
from tasks.providers.openai import OpenAI
from tasks.providers.wire import Completion, Message, Reply, call_id, encode
from tests.conftest import KEY
from tests.simulator import Fault, Reset, Settings, Simulator, Truncated, error, serving


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with serving(Settings(context=8192)) as one:
        yield one


class Desk:
    """A dispatcher with a log of what it recorded and how long it would have slept."""

    def __init__(self, url: str, *, key: str = KEY, model: str = "sim-model", nap: float = 0.0) -> None:
        self.url, self.key, self.model, self.nap = url, key, model, nap
        self.recorded: list[Reply] = []
        self.slept: list[float] = []
        self.paused: list[float] = []
        self.dispatcher: Dispatcher | None = None
        self.stopped: JobStopped | None = None

    def call(self, text: str) -> Call:
        path, body = OpenAI().completion(Completion(self.model, (Message("user", text),), 100))
        encoded = encode(body)
        return Call(call_id("test", self.url, path, encoded), path, encoded, 200, 100, 100)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(self.nap)

    async def _record(self, _call: Call, reply: Reply, _attempts: int, _latency_ms: int) -> None:
        self.recorded.append(reply)

    async def _send(self, texts: tuple[str, ...]) -> list[Delivered | BaseException]:
        account = Account("test", self.url, SecretStr(self.key))
        limits = Limits(requests=None, tokens=None, concurrency=8)
        pause = limits.pause

        def noted(seconds: float) -> None:
            self.paused.append(seconds)
            pause(min(seconds, 0.01))

        limits.pause = noted  # type: ignore[method-assign]
        async with Client() as client:
            self.dispatcher = Dispatcher(client, account, OpenAI(), limits, sleep=self._sleep, luck=lambda: 0.5)
            sends = (self.dispatcher.send(self.call(text), self._record, lambda: self.stopped) for text in texts)
            return await asyncio.gather(*sends, return_exceptions=True)

    def send(self, *texts: str) -> list[Delivered | BaseException]:
        return asyncio.run(self._send(texts))

    def send_one(self, text: str) -> Delivered:
        (result,) = self.send(text)
        if isinstance(result, BaseException):
            raise result
        return result


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

    class Full(Desk):
        async def _record(self, _call: Call, reply: Reply, _attempts: int, _latency_ms: int) -> None:
            await super()._record(_call, reply, _attempts, _latency_ms)
            raise JobStopped("the disk is full")

    desk = Full(simulator.url)
    with pytest.raises(JobStopped, match="disk is full"):
        desk.send_one("Hello")
    assert simulator.counts.requests == 1


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_pauses_the_whole_route_for_at_least_that_long(simulator: Simulator, status: int) -> None:
    simulator.settings.fault = lambda number, _: (
        error(status, "slow down", headers={"Retry-After": "7"}) if number == 1 else None
    )
    desk = Desk(simulator.url)
    desk.send_one("Hello")
    assert desk.slept == []
    assert len(desk.paused) == 1
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
    assert not isinstance(bad, Delivered | JobStopped)
    assert getattr(bad, "reason", None) == "http_500"
    assert getattr(bad, "attempts", None) == 6
    assert desk.dispatcher is not None
    assert desk.dispatcher.lost is None


def test_a_route_that_answers_others_is_not_lost_for_one_call(simulator: Simulator) -> None:
    """Even a reason that speaks of the whole route is this call's own where others got through."""
    simulator.settings.fault = lambda _, body: html(502) if "POISON" in json.dumps(body) else None
    simulator.settings.latency = 0.04
    bad, good = Desk(simulator.url, nap=0.03).send("POISON", "good")
    assert isinstance(good, Delivered)
    assert getattr(bad, "reason", None) == "http_502"
    assert not isinstance(bad, JobStopped)


def test_a_server_that_is_down_loses_the_route() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
    desk = Desk(url)
    with pytest.raises(RouteDown, match=r"is down.*can't connect.*6 attempts"):
        desk.send_one("Hello")
    assert desk.dispatcher is not None
    assert isinstance(desk.dispatcher.lost, RouteDown)
    assert desk.recorded == []


def test_a_server_that_goes_down_loses_the_route_for_the_calls_that_queued_before(simulator: Simulator) -> None:
    """Nobody was answered since the first of them was tried: how long it queued says nothing of the server."""
    simulator.settings.latency = 0.02
    simulator.settings.fault = lambda number, _: Reset() if number > 8 else None
    results = Desk(simulator.url, nap=0.001).send(*(f"text {number}" for number in range(30)))
    answered = [result for result in results if isinstance(result, Delivered)]
    assert len(answered) == 8
    assert all(isinstance(result, RouteDown) for result in results if not isinstance(result, Delivered))


def test_a_server_that_only_speaks_html_loses_the_route(simulator: Simulator) -> None:
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
    with pytest.raises(SetAside) as caught:
        Desk(simulator.url).send_one("Hello")
    assert (caught.value.reason, caught.value.status, caught.value.attempts) == ("http_400", 400, 1)


def test_a_stopped_job_asks_nobody(simulator: Simulator) -> None:
    desk = Desk(simulator.url)
    desk.stopped = JobStopped("enough")
    with pytest.raises(JobStopped, match="enough"):
        desk.send_one("Hello")
    assert simulator.counts.requests == 0


def test_calls_in_flight_are_never_more_than_the_limit(simulator: Simulator) -> None:
    simulator.settings.latency = 0.02
    results = Desk(simulator.url).send(*(f"text {number}" for number in range(40)))
    assert all(isinstance(result, Delivered) for result in results)
    assert simulator.counts.most_in_flight == 8


def test_a_call_that_a_busy_route_refuses_often_is_answered_while_others_are(simulator: Simulator) -> None:
    refusals = iter(range(6))  # the sixth alone would be its last
    simulator.settings.fault = lambda _, body: (
        error(429, "rate limit") if "unlucky" in str(body) and next(refusals, None) is not None else None
    )
    results = Desk(simulator.url).send("unlucky", *(f"lucky {number}" for number in range(200)))
    (unlucky, *lucky) = results
    assert isinstance(unlucky, Delivered)
    assert unlucky.attempts == 7
    assert all(isinstance(one, Delivered) for one in lucky)
