"""A small server of pages for this machine alone: each page is rendered on request, none is a file.

It listens on loopback only, and answers only requests whose Host header names loopback: a
site whose own name points here (DNS rebinding) gets no answer. A path is looked up among the
known pages, and never becomes part of a file's name.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tasks.base.errors import UserMistake

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
# How long a rendered page is reused, as several windows may ask at once.
KEPT_SECONDS = 2.0
# How long to wait for a request that a client has begun.
REQUEST_SECONDS = 10.0
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# The page at a path, or None where there is none.
Site = Callable[[str], str | None]


class LivePageServer:
    """A server of a site; it listens from its construction on."""

    def __init__(self, site: Site, port: int = 0) -> None:
        """Raises UserMistake where the port is taken, or may not be."""
        try:
            self._server = _Loopback(site, port)
        except (OSError, OverflowError) as error:
            raise UserMistake(f"--port {port} can't be listened on: {error}: give another one, or 0 for any") from error

    @property
    def url(self) -> str:
        """The URL of the first page."""
        return f"http://{HOST}:{self._server.server_port}/"

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """Answer while the block runs; gives the URL."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="pages", daemon=True)
        thread.start()
        try:
            yield self.url
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


class _Loopback(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, site: Site, port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self._site = site
        self._making = threading.Lock()
        self._kept: dict[str, tuple[float, str]] = {}

    def page(self, path: str) -> str | None:
        """Return the page at a path, made one at a time."""
        with self._making:
            made, html = self._kept.get(path, (0.0, ""))
            if html and time.monotonic() - made < KEPT_SECONDS:
                return html
            self._kept.pop(path, None)
            found = self._site(path)
            if found is not None:
                self._kept[path] = (time.monotonic(), found)
            return found

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore errors of clients that have disconnected."""


class _Handler(BaseHTTPRequestHandler):
    server: _Loopback
    timeout = REQUEST_SECONDS
    server_version, sys_version = "Docmill", ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        status, text = self._found()
        data = text.encode()
        self.send_response(status)
        headers = HEADERS if status == HTTPStatus.OK else HEADERS | {"Content-Type": "text/plain; charset=utf-8"}
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if with_body:
            self.wfile.write(data)

    def _found(self) -> tuple[HTTPStatus, str]:
        port = self.server.server_port
        if self.headers.get_all("Host", []) not in [[f"{name}:{port}"] for name in NAMES]:
            return HTTPStatus.MISDIRECTED_REQUEST, f"only http://{HOST}:{port}/ is answered here\n"
        try:
            html = self.server.page(urlsplit(self.path).path)
        except Exception as error:  # noqa: BLE001 - one page that can't be made leaves the others
            return HTTPStatus.SERVICE_UNAVAILABLE, f"the page can't be made now: {type(error).__name__}: {error}\n"
        return (HTTPStatus.NOT_FOUND, "there is no such page\n") if html is None else (HTTPStatus.OK, html)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
        """Log nothing, as the terminal belongs to the monitor."""
