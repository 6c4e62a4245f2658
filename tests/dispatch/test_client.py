"""The HTTP client over real sockets: what it raises, how many connections it opens, and how it goes through proxies."""

import asyncio
import base64
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from tasks.base.errors import CertificateRefused, Transient
from tasks.dispatch import transport as module
from tasks.dispatch.client import Client
from tasks.dispatch.transport import IDLE_SECONDS
from tasks.providers.account import Account
from tasks.providers.protocol import Reply
from tests.conftest import KEY
from tests.simulator import Reset, Settings, Simulator, Truncated, serving

BODY = json.dumps({"model": "sim-model", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 10}).encode()
HEADERS = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
PATIENT = 30.0
PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
SECRET = "s3cret-of-the-proxy"

Handler = Callable[[bytes], bytes]


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no certificates from the environment."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with serving(Settings(context=8192)) as one:
        yield one


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.asynccontextmanager
async def listening(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve a function of the request's head on loopback, one request a connection."""
    heads: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            writer.write(handler(await reader.readuntil(b"\r\n\r\n")))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in heads:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def response(body: bytes = b"{}", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


async def post(url: str, seconds: float = PATIENT) -> Reply:
    async with Client() as client:
        return await client.post(url, HEADERS, BODY, seconds)


def failing(url: str, seconds: float = PATIENT) -> Transient:
    with pytest.raises(Transient) as caught:
        asyncio.run(post(url, seconds))
    return caught.value


def test_a_reply_comes_as_it_is_whatever_its_status(simulator: Simulator) -> None:
    reply = asyncio.run(post(f"{simulator.url}/chat/completions"))
    assert reply.status == 200
    assert json.loads(reply.body)["id"] == "sim-1"
    assert reply.headers.get("content-type") == "application/json; charset=utf-8"
    simulator.settings.key = "another"
    assert asyncio.run(post(f"{simulator.url}/chat/completions")).status == 401


def test_a_redirect_is_not_followed_with_the_key() -> None:
    async def some() -> Reply:
        moved = b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
        async with listening(lambda _: moved) as port:
            return await post(f"http://127.0.0.1:{port}/v1")

    assert asyncio.run(some()).status == 307


def test_no_cookie_is_kept_between_calls() -> None:
    heads: list[bytes] = []

    def answer(head: bytes) -> bytes:
        heads.append(head)
        return b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"

    async def some() -> None:
        async with listening(answer) as port, Client() as client:
            for _ in range(2):
                await client.post(f"http://127.0.0.1:{port}/v1", HEADERS, BODY, PATIENT)

    asyncio.run(some())
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


# Failures on the way


def test_a_closed_port_is_said_as_connect_with_the_url_and_the_fix() -> None:
    url = f"http://127.0.0.1:{free_port()}/v1/chat/completions"
    error = failing(url)
    assert error.reason == "connect"
    assert url in str(error)
    assert "is the server up and the URL right?" in str(error)


def test_a_host_that_nobody_knows_is_said_as_connect() -> None:
    error = failing("http://no-such-host.invalid/v1/chat/completions")
    assert error.reason == "connect"
    assert "no-such-host.invalid" in str(error)


@pytest.mark.parametrize("fault", [Reset, Truncated])
def test_a_connection_that_breaks_is_said_as_connection(
    simulator: Simulator, fault: type[Reset] | type[Truncated]
) -> None:
    simulator.settings.fault = lambda *_: fault()
    assert failing(f"{simulator.url}/chat/completions").reason == "connection"


@pytest.mark.parametrize("noise", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
def test_what_is_no_http_is_said_as_connection(noise: bytes) -> None:
    async def some() -> None:
        async with listening(lambda _: noise) as port:
            await post(f"http://127.0.0.1:{port}/v1")

    with pytest.raises(Transient) as caught:
        asyncio.run(some())
    assert caught.value.reason == "connection"


def test_a_server_that_never_answers_is_said_as_timeout(simulator: Simulator) -> None:
    simulator.settings.latency = 60.0
    error = failing(f"{simulator.url}/chat/completions", seconds=0.1)
    assert error.reason == "timeout"
    assert "no answer from" in str(error)


def test_a_client_goes_on_after_every_failure(simulator: Simulator) -> None:
    simulator.settings.fault = lambda number, _: {1: Reset(), 2: Truncated()}.get(number)

    async def some() -> list[str]:
        async with Client() as client:
            found = []
            for _ in range(4):
                try:
                    reply = await client.post(f"{simulator.url}/chat/completions", HEADERS, BODY, PATIENT)
                    found.append(str(reply.status))
                except Transient as error:
                    found.append(error.reason)
            return found

    assert asyncio.run(some()) == ["connection", "connection", "200", "200"]


# TLS


@pytest.fixture
def authority(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's context with a certificate that nobody knows, and the file of its authority."""
    trustme = pytest.importorskip("trustme")
    own = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    path = tmp_path / "authority.pem"
    own.cert_pem.write_to_path(str(path))
    return context, path


async def _over_tls(context: ssl.SSLContext) -> Reply:
    # The server's side of a handshake that the client breaks off is no error of ours.
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    async with listening(lambda _: response(b'{"over": "tls"}'), context) as port:
        return await post(f"https://127.0.0.1:{port}/v1")


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once_and_says_the_fix(
    authority: tuple[ssl.SSLContext, Path],
) -> None:
    with pytest.raises(CertificateRefused, match=r"no TLS with https://127\.0\.0\.1.*SSL_CERT_FILE"):
        asyncio.run(_over_tls(authority[0]))


def test_the_authority_of_ssl_cert_file_is_trusted(
    authority: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, path = authority
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    assert asyncio.run(_over_tls(context)).body == b'{"over": "tls"}'


def test_a_server_that_speaks_no_tls_is_refused_at_once(simulator: Simulator) -> None:
    with pytest.raises(CertificateRefused, match="base URL"):
        asyncio.run(post(simulator.url.replace("http://", "https://")))


# Connections


def test_as_many_calls_as_are_asked_for_are_in_flight_at_once(simulator: Simulator) -> None:
    simulator.settings.latency = 1.0

    async def some() -> list[Reply]:
        async with Client() as client:
            url = f"{simulator.url}/chat/completions"
            return await asyncio.gather(*(client.post(url, HEADERS, BODY, PATIENT) for _ in range(200)))

    assert {reply.status for reply in asyncio.run(some())} == {200}
    assert simulator.counts.most_in_flight == 200


def test_a_connection_is_used_again(simulator: Simulator) -> None:
    connections: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(b"")
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(len(BODY))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async def some() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with Client() as client:
            for _ in range(20):
                await client.post(url, HEADERS, BODY, PATIENT)
        server.close()
        await asyncio.sleep(0.01)

    asyncio.run(some())
    assert len(connections) == 1


def test_a_server_that_closes_idle_connections_never_loses_a_call(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours are closed before: uvicorn closes its own after five seconds."""
    assert IDLE_SECONDS < 5
    simulator.settings.idle_seconds = 0.5
    monkeypatch.setattr(module, "IDLE_SECONDS", 0.25)

    async def spaced(gap: float) -> None:
        async with Client() as client:
            for _ in range(3):
                reply = await client.post(f"{simulator.url}/chat/completions", HEADERS, BODY, PATIENT)
                assert reply.status == 200
                await asyncio.sleep(gap)

    async def some() -> None:
        await asyncio.gather(*(spaced(gap / 100) for gap in (10, 24, 25, 26, 35, 45, 48, 49, 50, 51, 52, 55)))

    asyncio.run(some())


# Proxies


class Proxy:
    """A tiny proxy on loopback that answers in the server's place and keeps what it was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heads: list[str] = []

    def __call__(self, head: bytes) -> bytes:
        self.heads.append(head.decode())
        return self.answer


def through(proxy: Proxy, url: str, monkeypatch: pytest.MonkeyPatch, user: str = "", variable: str = "HTTP") -> Reply:
    async def some() -> Reply:
        async with listening(proxy) as port:
            monkeypatch.setenv(f"{variable}_PROXY", f"http://{user}127.0.0.1:{port}")
            return await post(url)

    return asyncio.run(some())


@pytest.mark.parametrize("variable", ["HTTP", "ALL"])
def test_the_proxy_of_the_environment_is_used(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy(response(b'{"from": "the proxy"}'))
    reply = through(proxy, "http://provider.invalid/v1/models", monkeypatch, variable=variable)
    assert reply.body == b'{"from": "the proxy"}'
    assert proxy.heads[0].startswith("POST http://provider.invalid/v1/models HTTP/1.1")


def test_a_host_of_no_proxy_is_asked_directly(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    proxy = Proxy(response())
    reply = through(proxy, f"{simulator.url}/chat/completions", monkeypatch)
    assert json.loads(reply.body)["id"] == "sim-1"
    assert proxy.heads == []


def test_a_password_of_the_proxy_goes_to_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy(response())
    through(proxy, "http://provider.invalid/v1", monkeypatch, f"user:{SECRET}@")
    token = base64.b64encode(f"user:{SECRET}".encode()).decode()
    assert f"proxy-authorization: basic {token}".lower() in proxy.heads[0].lower()


@pytest.mark.parametrize(
    "answer",
    [
        response(b"no", "407 Proxy Authentication Required"),
        response(b"no", "502 Bad Gateway"),
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_password_of_the_proxy_is_never_shown_by_a_proxy_that_refuses(
    answer: bytes, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = ""
    try:
        through(Proxy(answer), f"{scheme}://provider.invalid/v1", monkeypatch, f"user:{SECRET}@", scheme.upper())
    except (Transient, CertificateRefused) as error:
        said = str(error) + repr(error)
    assert SECRET not in said
    assert said or scheme == "http"  # then the proxy's refusal is the reply


@pytest.mark.parametrize(
    "place",
    ["127.0.0.1:{port}", "no-such-host.invalid:3128", "127.0.0.1:notaport", "127.0.0.1:99999", "[::bad:3128", ""],
)
@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
def test_a_password_of_the_proxy_is_never_shown_by_a_proxy_that_isn_t_there(
    place: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"{scheme}://user:{SECRET}@{place.format(port=free_port())}")
    error = failing("http://provider.invalid/v1")
    assert error.reason in {"connect", "connection"}
    assert SECRET not in str(error) + repr(error)


def test_an_account_s_key_is_never_shown() -> None:
    account = Account("test", "http://127.0.0.1:9/v1", SecretStr(KEY))

    async def some() -> None:
        async with Client() as client:
            await client.post(account.base_url, account.headers("POST", account.base_url, BODY), BODY, PATIENT)

    with pytest.raises(Transient) as caught:
        asyncio.run(some())
    assert KEY not in str(caught.value) + repr(account)
