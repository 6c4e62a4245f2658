"""The transport that requests take unless another is given: httpx's interface over aiohttp's connections.

httpx's own pool looks through all its connections for each request, which takes 28 ms
of processor time at 500 in flight; aiohttp keeps several thousand. So requests, answers
and errors are httpx's, and only the connections are aiohttp's.
"""

import os
import resource
import ssl
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator
from functools import lru_cache

import aiohttp
import certifi
import httpx
from yarl import URL

from tasks.base.errors import UserMistake

# uvicorn, and so vLLM and many others, closes a connection that was idle for five
# seconds: a request sent at that moment is lost. So ours are closed before.
IDLE_SECONDS = 4.0
SPARE_FILES = 512
CHUNKED = "transfer-encoding"
# An extension of a request: its answer is read as a whole, which saves reading it by pieces.
WHOLE = "whole"


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Carries httpx's requests; it belongs to the event loop it was made on.

    As httpx does, it follows HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE,
    SSL_CERT_DIR, and a request's `timeout` extension. Certificates are checked against the
    system's authorities as well as certifi's.
    """

    def __init__(self) -> None:
        self._proxies: dict[str, str | None] = {}
        # No cookies: a provider's answer never depends on what another call was given.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS, ssl=_authorities()),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            auto_decompress=False,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises httpx's TransportError, of the kind that says how far it came."""
        stream, told = request.stream, request.extensions.get("timeout", {})
        try:
            response = await self._session.request(
                request.method,
                _parsed(str(request.url)),
                headers=_headers(request.headers),
                data=b"".join(stream) or None if isinstance(stream, httpx.ByteStream) else stream,
                allow_redirects=False,
                proxy=self._proxy(request.url),
                timeout=_timeout(told.get("pool"), told.get("connect"), told.get("read")),
            )
            if WHOLE not in request.extensions:
                return httpx.Response(response.status, headers=response.raw_headers, stream=Body(response))
            async with response:
                content = await response.read()
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _translated(error) from error
        return httpx.Response(response.status, headers=response.raw_headers, stream=httpx.ByteStream(content))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()

    def _proxy(self, url: httpx.URL) -> str | None:
        """Return the proxy that the environment names for a URL; looked up once a host."""
        origin = f"{url.scheme}://{url.netloc.decode()}"
        if origin not in self._proxies:
            proxies = urllib.request.getproxies()
            passed_by = urllib.request.proxy_bypass(url.host)
            self._proxies[origin] = None if passed_by else proxies.get(url.scheme) or proxies.get("all")
        return self._proxies[origin]


class Body(httpx.AsyncByteStream):
    """An answer's body, by the pieces in which it arrives."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces. Raises httpx's TransportError."""
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, OSError) as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body wasn't read to its end."""
        async with self._response:
            pass


def allow_connections(count: int) -> None:
    """Raise the process's soft limit of open files, often 1,024, so that `count` connections fit.

    Raises UserMistake where the system's hard limit is lower.
    """
    wanted = count + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft in (resource.RLIM_INFINITY, -1) or soft >= wanted:
        return
    if hard not in (resource.RLIM_INFINITY, -1) and hard < wanted:
        fix = f"give a --concurrency of {max(1, hard - SPARE_FILES)} or less, or raise `ulimit -n`"
        raise UserMistake(f"{count} calls in flight need {wanted} open files, and the system allows {hard}: {fix}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _headers(headers: httpx.Headers) -> list[tuple[str, str]]:
    """Return the headers for aiohttp, which says by itself that a body comes in pieces."""
    found = [(name.decode("ascii"), value.decode("utf-8", "replace")) for name, value in headers.raw]
    return [one for one in found if one[0].lower() != CHUNKED] if CHUNKED in headers else found


@lru_cache(maxsize=256)
def _parsed(url: str) -> URL:
    return URL(url, encoded=True)


@lru_cache(maxsize=16)
def _timeout(pool: float | None, connect: float | None, read: float | None) -> aiohttp.ClientTimeout:
    """Translate httpx's timeouts in seconds: `pool`, the wait for a connection, is aiohttp's `connect`."""
    return aiohttp.ClientTimeout(total=None, connect=pool, sock_connect=connect, sock_read=read)


def _authorities() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not os.environ.get("SSL_CERT_FILE"):
        context.load_verify_locations(certifi.where())
    return context


# The first that fits: a subclass stands before its parent.
_ERRORS: tuple[tuple[type[BaseException], type[httpx.TransportError]], ...] = (
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientOSError, httpx.ReadError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (ValueError, httpx.LocalProtocolError),
)


def _translated(error: BaseException) -> httpx.TransportError:
    kind = next((ours for theirs, ours in _ERRORS if isinstance(error, theirs)), httpx.ReadError)
    return kind(_words(error))


def _words(error: BaseException) -> str:
    """An error's words, without the address of a proxy, which may hold a password."""
    cause = getattr(error, "os_error", None) or error
    text = getattr(cause, "strerror", None) or str(cause)
    return f"{type(error).__name__}{f' ({text})' if text and '://' not in text else ''}"
