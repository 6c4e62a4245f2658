"""The HTTP client: bytes go out as httpx's requests through any of its transports, and come back as raw replies."""

import contextlib
import ssl
from collections.abc import Callable, Coroutine, Iterator, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import httpx

from tasks.base.errors import CertificateRefused, Transient, UserMistake
from tasks.base.settings import FACTORY, TRANSPORT
from tasks.dispatch.deadlines import Deadlines
from tasks.dispatch.transport import WHOLE, AiohttpTransport
from tasks.providers.protocol import Reply

CONNECT_SECONDS = 10.0
# The whole exchange has a deadline, which needs no timer of its own.
TIMEOUT = httpx.Timeout(None, connect=CONNECT_SECONDS).as_dict()
IN_PIECES: dict[str, object] = {"timeout": TIMEOUT}
AS_A_WHOLE: dict[str, object] = {**IN_PIECES, WHOLE: True}
# Some servers refuse a request that doesn't name its sender; httpx always decodes gzip and deflate.
USUAL = {b"user-agent": b"docmill", b"accept": b"*/*", b"accept-encoding": b"gzip, deflate"}
# Nothing was sent, so nothing can have been paid for.
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class Client:
    """Sends bytes and returns raw replies; use it as an async context manager, on the event loop it was made on.

    `transport` may be any of httpx's: its MockTransport and ASGITransport, a company's own.
    The client closes it. Raises UserMistake for anything else.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        if not isinstance(transport, httpx.AsyncBaseTransport | None):
            raise UserMistake(f"{TRANSPORT} made a {type(transport).__name__}: {FACTORY}")
        self._transport = transport or AiohttpTransport()
        self._deadlines = Deadlines()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadlines.close()
        await self._transport.aclose()

    def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Coroutine[Any, Any, Reply]:
        """POST `body`; the whole exchange may take `seconds`.

        Raises Transient with reason `connect`, `timeout` or `connection`, and
        CertificateRefused.
        """
        return self._exchange("POST", url, headers, body, seconds)

    def stream(
        self, url: str, headers: Mapping[str, str], body: bytes, seconds: float, heard: Callable[[bytes], None]
    ) -> Coroutine[Any, Any, Reply]:
        """POST `body`, and pass each piece of the reply to `heard` as it arrives. Raises as `post` does."""
        return self._exchange("POST", url, headers, body, seconds, heard)

    def get(self, url: str, headers: Mapping[str, str], seconds: float) -> Coroutine[Any, Any, Reply]:
        """GET a small document, as a model list. Raises as `post` does."""
        return self._exchange("GET", url, headers, b"", seconds)

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        seconds: float,
        heard: Callable[[bytes], None] | None = None,
    ) -> Reply:
        try:
            with self._deadlines.within(seconds):
                request = _request(method, url, headers, body, AS_A_WHOLE if heard is None else IN_PIECES)
                response = await self._transport.handle_async_request(request)
                told = dict(response.headers.items())
                if heard is None and isinstance(response.stream, httpx.ByteStream) and "content-encoding" not in told:
                    content = b"".join(response.stream)  # a tenth of the time that httpx takes to read it
                else:
                    content = await _heard(response, heard or _unheard)
                return Reply(response.status_code, told, content)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, ValueError) as error:
            raise _failure(url, seconds, error) from error


def _unheard(_: bytes) -> None:
    """Do nothing with a piece of a reply."""


async def _heard(response: httpx.Response, heard: Callable[[bytes], None]) -> bytes:
    pieces = []
    async with contextlib.aclosing(response):
        async for piece in response.aiter_bytes():
            heard(piece)
            pieces.append(piece)
    return b"".join(pieces)


def _request(
    method: str, url: str, headers: Mapping[str, str], body: bytes, extensions: dict[str, object]
) -> httpx.Request:
    """Return a request with the headers that httpx would add; from a stream it is made in a third of the time."""
    parsed, host = _parsed(url)
    ours = {**USUAL, b"host": host}
    if body:
        ours[b"content-length"] = b"%d" % len(body)
    # A key that was copied with an ellipsis is for the provider to refuse: httpx would take ASCII alone.
    theirs = {name.encode(): value.encode() for name, value in headers.items()}
    for name in theirs:
        ours.pop(name.lower(), None)
    return httpx.Request(method, parsed, headers=ours | theirs, stream=httpx.ByteStream(body), extensions=extensions)


@lru_cache(maxsize=256)
def _parsed(url: str) -> tuple[httpx.URL, bytes]:
    parsed = httpx.URL(url)
    return parsed, parsed.netloc


def _failure(url: str, seconds: float, error: Exception) -> Exception:
    """Return what an error of httpx means for the call."""
    if isinstance(error, httpx.ConnectError) and any(isinstance(cause, ssl.SSLError) for cause in _causes(error)):
        fix = "mend the base URL, or name the server's authority in SSL_CERT_FILE"
        return CertificateRefused(f"no TLS with {url}: {_words(error)}: {fix}")
    if isinstance(error, UNSENT):
        return Transient("connect", f"can't connect to {url}: {_words(error)}: is the server up and the URL right?")
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return Transient("timeout", f"no answer from {url} within {seconds:.0f} s")
    return Transient("connection", f"the connection to {url} broke: {_words(error)}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _words(error: BaseException) -> str:
    """An error's words, without the address of a proxy, which may hold a password."""
    text = str(error)
    return text if text and "://" not in text else type(error).__name__
