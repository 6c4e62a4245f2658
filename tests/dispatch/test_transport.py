"""httpx's interface: any of its transports carries a job, and ours behaves as httpx's own does."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from tasks.base.errors import Transient, UserMistake
from tasks.base.settings import TRANSPORT
from tasks.base.settings import Settings as JobSettings
from tasks.dispatch.client import Client
from tasks.dispatch.transport import AiohttpTransport
from tasks.providers.protocol import Reply
from tests.conftest import RunJob
from tests.dispatch.test_client import BODY, HEADERS, PATIENT, free_port
from tests.jobs.texts import fill
from tests.loopback import served
from tests.simulator import Reset, Settings, Simulator, Truncated, serving

ANSWER = {
    "choices": [{"message": {"content": "Short."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2},
}
# A server to which nothing goes out: the transport answers.
NOWHERE = {"OPENAI_BASE_URL": "http://nowhere.invalid/v1", "OPENAI_API_KEY": "sk-never-sent"}


def handled(request: httpx.Request) -> httpx.Response:
    if request.method == "GET":
        return httpx.Response(200, json={"data": [{"id": "sim-model", "context_length": 8192}]})
    assert request.headers["authorization"] == "Bearer sk-never-sent"
    assert request.headers["host"] == "nowhere.invalid"
    assert len(json.loads(request.content)["messages"]) >= 1
    return httpx.Response(200, json=ANSWER)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The same provider as an ASGI application."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers = [(name.decode(), value.decode()) for name, value in scope["headers"]]
    reply = handled(httpx.Request(scope["method"], "http://nowhere.invalid/v1", headers=headers, content=body))
    head = {"type": "http.response.start", "status": reply.status_code, "headers": reply.headers.raw}
    await send(head)
    await send({"type": "http.response.body", "body": reply.content})


@pytest.mark.parametrize(
    "transport", [lambda: httpx.MockTransport(handled), lambda: httpx.ASGITransport(application)], ids=["mock", "asgi"]
)
def test_a_job_goes_through_any_transport_of_httpx_s(
    transport: Callable[[], httpx.AsyncBaseTransport], folder: Path, run_job: RunJob
) -> None:
    fill(folder, 5)
    ran = run_job(settings=JobSettings(NOWHERE, transport=transport))
    assert (ran.code, ran.record.totals.done) == (0, 5)


def mocked() -> httpx.MockTransport:
    return httpx.MockTransport(handled)


def test_the_environment_names_a_transport(folder: Path, run_job: RunJob, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(folder, 3)
    for name, value in {**NOWHERE, TRANSPORT: f"{__name__}:mocked"}.items():
        monkeypatch.setenv(name, value)
    assert run_job().record.totals.done == 3


@pytest.mark.parametrize(
    "name", ["no_such_module:a", "httpx:no_such_name", "not a name", "httpx:__version__", "builtins:dict"]
)
def test_a_transport_that_is_none_is_said(
    name: str, folder: Path, run_job: RunJob, provider: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, 1)
    monkeypatch.setenv(TRANSPORT, name)
    with pytest.raises(UserMistake, match=rf"{TRANSPORT}.*package\.module:function"):
        run_job()
    assert provider.counts.requests == 0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx.ConnectError("refused"), "connect"),
        (httpx.ConnectTimeout("slow"), "connect"),
        (httpx.PoolTimeout("full"), "connect"),
        (httpx.ProxyError("http://user:s3cret@proxy"), "connect"),
        (httpx.UnsupportedProtocol("ftp"), "connect"),
        (httpx.ReadTimeout("slow"), "timeout"),
        (httpx.WriteTimeout("slow"), "timeout"),
        (httpx.ReadError("reset"), "connection"),
        (httpx.WriteError("reset"), "connection"),
        (httpx.RemoteProtocolError("no HTTP"), "connection"),
        (httpx.DecodingError("no gzip"), "connection"),
    ],
)
def test_errors_of_any_transport_say_whether_the_call_may_be_paid_for(error: httpx.HTTPError, reason: str) -> None:
    def failing(_: httpx.Request) -> httpx.Response:
        raise error

    async def some() -> None:
        async with Client(httpx.MockTransport(failing)) as client:
            await client.post("http://nowhere.invalid/v1", HEADERS, BODY, PATIENT)

    with pytest.raises(Transient) as caught:
        asyncio.run(some())
    assert caught.value.reason == reason
    assert "s3cret" not in str(caught.value)


def test_a_transport_that_hangs_is_left_at_the_deadline() -> None:
    async def hanging(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    async def some() -> None:
        async with Client(httpx.MockTransport(hanging)) as client:
            await client.post("http://nowhere.invalid/v1", HEADERS, BODY, 0.01)

    with pytest.raises(Transient, match="no answer"):
        asyncio.run(some())


# Ours beside httpx's own


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with serving(Settings(context=8192)) as one:
        yield one


OURS_AND_ITS_OWN = pytest.mark.parametrize("transport", [AiohttpTransport, httpx.AsyncHTTPTransport])


def asked(make: Callable[[], httpx.AsyncBaseTransport], method: str, url: str, **words: Any) -> httpx.Response:
    async def some() -> httpx.Response:
        async with httpx.AsyncClient(transport=make(), trust_env=False) as client:
            return await client.request(method, url, **words)

    return asyncio.run(some())


def kind(make: Callable[[], httpx.AsyncBaseTransport], url: str, **words: Any) -> type[BaseException]:
    async def some() -> httpx.Response:
        async with httpx.AsyncClient(transport=make(), trust_env=False) as client:
            return await client.post(url, content=BODY, headers=HEADERS, **words)

    with pytest.raises(httpx.TransportError) as caught:
        asyncio.run(some())
    return caught.type


@OURS_AND_ITS_OWN
def test_the_errors_are_those_that_httpx_s_own_transport_raises(
    transport: Callable[[], httpx.AsyncBaseTransport], simulator: Simulator
) -> None:
    url = f"{simulator.url}/chat/completions"
    assert kind(transport, f"http://127.0.0.1:{free_port()}/v1") is httpx.ConnectError
    assert kind(transport, "http://no-such-host.invalid/v1") is httpx.ConnectError
    assert kind(transport, url.replace("http:", "https:")) is httpx.ConnectError
    simulator.settings.fault = lambda *_: Truncated()
    assert kind(transport, url) is httpx.RemoteProtocolError
    simulator.settings.fault = lambda *_: Reset()
    assert issubclass(kind(transport, url), httpx.ReadError | httpx.RemoteProtocolError)
    simulator.settings.fault, simulator.settings.latency = lambda *_: None, 5.0
    assert kind(transport, url, timeout=httpx.Timeout(5, read=0.1)) is httpx.ReadTimeout


@pytest.fixture
def odd() -> Iterator[str]:
    """A server of gzip, of pieces, of redirects, and of what it was sent."""

    async def packed(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b'{"a": 1}'), headers={"Content-Encoding": "gzip"})

    async def pieces(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse()
        await reply.prepare(request)
        for number in range(3):
            await reply.write(b"%d" % number)
            await asyncio.sleep(0.02)
        return reply

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/packed")

    async def echo(request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        return web.json_response({"path": request.raw_path, "headers": dict(request.headers), "body": body})

    app = web.Application()
    app.router.add_route("*", "/packed", packed)
    app.router.add_route("*", "/pieces", pieces)
    app.router.add_route("*", "/moved", moved)
    app.router.add_route("*", "/echo/{rest:.*}", echo)
    with served(app) as root:
        yield root


@OURS_AND_ITS_OWN
def test_it_serves_httpx_s_own_client(transport: Callable[[], httpx.AsyncBaseTransport], odd: str) -> None:
    assert asked(transport, "GET", f"{odd}/packed").json() == {"a": 1}
    assert asked(transport, "POST", f"{odd}/pieces", content=b"x").content == b"012"
    assert asked(transport, "POST", f"{odd}/moved").status_code == 307
    assert asked(transport, "GET", f"{odd}/moved", follow_redirects=True).json() == {"a": 1}
    form = asked(transport, "POST", f"{odd}/echo/", data={"a": "b c"}).json()
    assert (form["body"], form["headers"]["Content-Type"]) == ("a=b+c", "application/x-www-form-urlencoded")


@OURS_AND_ITS_OWN
def test_a_body_that_is_streamed_arrives_whole(transport: Callable[[], httpx.AsyncBaseTransport], odd: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"abc"

    assert asked(transport, "POST", f"{odd}/echo/", content=pieces()).json()["body"] == "abc" * 3


@pytest.mark.parametrize("transport", [None, AiohttpTransport, httpx.AsyncHTTPTransport])
def test_a_request_is_on_the_wire_as_it_was_made(
    transport: Callable[[], httpx.AsyncBaseTransport] | None, odd: str
) -> None:
    async def some() -> dict[str, Any]:
        async with Client(transport() if transport else None) as client:
            wanted = {**HEADERS, "User-Agent": "a company", "Host": "named.there"}
            reply = await client.post(f"{odd}/echo/model/mistral.m%3A0/converse", wanted, BODY, PATIENT)
            found: dict[str, Any] = json.loads(reply.body)
            return found

    echoed = asyncio.run(some())
    headers = {name.lower(): value for name, value in echoed["headers"].items()}
    assert echoed["path"] == "/echo/model/mistral.m%3A0/converse"
    assert echoed["body"] == BODY.decode()
    assert headers["content-length"] == str(len(BODY))
    assert headers["content-type"] == "application/json"
    assert (headers["user-agent"], headers["host"]) == ("a company", "named.there")
    assert len(headers) == len(echoed["headers"])


@pytest.mark.parametrize("transport", [None, httpx.AsyncHTTPTransport])
def test_a_key_that_was_copied_with_an_ellipsis_goes_out_for_the_provider_to_refuse(
    transport: Callable[[], httpx.AsyncBaseTransport] | None, odd: str
) -> None:
    async def some() -> Reply:
        async with Client(transport() if transport else None) as client:
            return await client.post(f"{odd}/echo/", {"Authorization": "Bearer sk-…"}, BODY, PATIENT)

    assert json.loads(asyncio.run(some()).body)["headers"]["Authorization"] == "Bearer sk-…"


def test_packed_answers_are_unpacked_and_pieces_heard_as_they_come(odd: str) -> None:
    heard: list[bytes] = []

    async def some() -> bytes:
        async with Client() as client:
            await client.stream(f"{odd}/pieces", HEADERS, BODY, PATIENT, heard.append)
            return (await client.get(f"{odd}/packed", HEADERS, PATIENT)).body

    assert asyncio.run(some()) == b'{"a": 1}'
    assert heard == [b"0", b"1", b"2"]
