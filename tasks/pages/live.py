"""Serve live pages on loopback: only to a browser of this machine, and only what is listed."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tasks.errors import UserMistake

HOST = "127.0.0.1"
# A page of another name that was made to point here is another origin: it could read what we say.
NAMES = ("127.0.0.1", "localhost")
SECURITY = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
Page = Callable[[str], str | None]


@contextlib.contextmanager
def serving(page: Page, port: int = 0) -> Iterator[str]:
    """Serve pages by their paths for the block; yield the URL. Raises UserMistake where the port is taken."""

    class Handler(_Handler):
        pages = staticmethod(page)

    try:
        server = ThreadingHTTPServer((HOST, port), Handler)
    except (OSError, OverflowError) as error:
        raise UserMistake(f"--port {port} can't be used ({error}): give another, or none to have one chosen") from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="pages", daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    pages: Page
    server_version = "docmill"
    sys_version = ""
    # A client that never ends its request doesn't hold a thread for ever.
    timeout = 30

    def do_GET(self) -> None:
        """Answer with the page of the path."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer as for GET, without the page."""
        self._answer()

    def _answer(self) -> None:
        port = self.connection.getsockname()[1]
        if self.headers.get("Host") not in {f"{name}:{port}" for name in NAMES}:
            self._say(403, "Open this page as it was printed: by 127.0.0.1 or localhost.", "text/plain")
            return
        try:
            html = self.pages(urlsplit(self.path).path)
        except Exception as error:  # noqa: BLE001 - the next request may be answered
            self._say(500, f"This page could not be made: {type(error).__name__}.", "text/plain")
            return
        if html is None:
            self._say(404, "There is no such page: / lists them all.", "text/plain")
        else:
            self._say(200, html, "text/html")

    def _say(self, status: int, text: str, kind: str) -> None:
        data = text.encode()
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(data)), **SECURITY}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Say nothing: the terminal is the monitor's."""
