"""The HTTP client: the only module that knows aiohttp.

httpx's own pool slows down with the number of open connections, to 110 requests a
second at 500 in flight on two cores; aiohttp keeps several thousand
(tests/benchmarks/README.md).
"""

import os
import resource
import ssl
import urllib.parse
import urllib.request
from collections.abc import Callable, Coroutine, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import aiohttp
import certifi
from yarl import URL

from tasks.base.errors import CertificateRefused, Transient, UserMistake
from tasks.dispatch.deadlines import Deadlines
from tasks.providers.protocol import Reply

CONNECT_SECONDS = 10.0
# uvicorn, and so vLLM and many others, closes a connection that was idle for five
# seconds: a request sent at that moment is lost. So ours are closed before.
IDLE_SECONDS = 4.0
SPARE_FILES = 512


class Client:
    """Sends bytes and returns raw replies; use it as an async context manager.

    It belongs to the event loop it was opened on. HTTP_PROXY, HTTPS_PROXY and
    NO_PROXY are followed; certificates are checked against the system's and
    certifi's authorities, and those of SSL_CERT_FILE.
    """

    def __init__(self) -> None:
        self._proxies: dict[str, str | None] = {}
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS, ssl=_authorities())
        # No cookies: a provider's answer never depends on what another call was given.
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
        )
        self._deadlines = Deadlines()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadlines.close()
        await self._session.close()

    def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Coroutine[Any, Any, Reply]:
        """POST `body`; the whole exchange may take `seconds`.

        Raises Transient with reason `connect`, `timeout` or `connection`, and
        CertificateRefused.
        """
        return self._exchange("POST", url, headers, body, seconds)

    async def stream(
        self, url: str, headers: Mapping[str, str], body: bytes, seconds: float, heard: Callable[[bytes], None]
    ) -> Reply:
        """POST `body`, and pass each piece of the reply to `heard` as it arrives. Raises as `post` does."""
        return await self._exchange("POST", url, headers, body, seconds, heard)

    async def get(self, url: str, headers: Mapping[str, str], seconds: float) -> Reply:
        """GET a small document, as a model list. Raises as `post` does."""
        return await self._exchange("GET", url, headers, None, seconds)

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        seconds: float,
        heard: Callable[[bytes], None] | None = None,
    ) -> Reply:
        try:
            with self._deadlines.within(seconds):
                async with self._session.request(
                    method,
                    _parsed(url),
                    headers=headers,
                    data=body,
                    allow_redirects=False,
                    proxy=self._proxy(url),
                ) as response:
                    answer = await (response.read() if heard is None else _heard(response, heard))
                    return Reply(response.status, response.headers, answer)
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise CertificateRefused(_tls(url, error)) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            message = f"can't connect to {url}: {_words(error)}: is the server up and the URL right?"
            raise Transient("connect", message) from error
        except TimeoutError as error:
            raise Transient("timeout", f"no answer from {url} within {seconds:.0f} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Transient("connection", f"the connection to {url} broke: {_words(error)}") from error

    def _proxy(self, url: str) -> str | None:
        """Return the proxy that the environment names for a URL; looked up once a host."""
        origin = url[: url.find("/", 8)] if url.find("/", 8) > 0 else url
        if origin not in self._proxies:
            parts = urllib.parse.urlsplit(url)
            passed_by = urllib.request.proxy_bypass(parts.hostname or "")
            self._proxies[origin] = None if passed_by else urllib.request.getproxies().get(parts.scheme)
        return self._proxies[origin]


@lru_cache(maxsize=256)
def _parsed(url: str) -> URL:
    return URL(url, encoded=True)


async def _heard(response: aiohttp.ClientResponse, heard: Callable[[bytes], None]) -> bytes:
    pieces = []
    async for piece in response.content.iter_any():
        heard(piece)
        pieces.append(piece)
    return b"".join(pieces)


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


def _authorities() -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not os.environ.get("SSL_CERT_FILE"):
        context.load_verify_locations(certifi.where())
    return context


def _tls(url: str, error: aiohttp.ClientConnectorError) -> str:
    fix = "mend the base URL, or name the server's authority in SSL_CERT_FILE"
    return f"no TLS with {url}: {_words(error)}: {fix}"


def _words(error: BaseException) -> str:
    """An error's words, without the address of a proxy, which may hold a password."""
    cause = getattr(error, "os_error", None) or error
    text = getattr(cause, "strerror", None) or str(cause)
    return f"{type(error).__name__}{f' ({text})' if text and '://' not in text else ''}"
