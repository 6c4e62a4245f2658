"""The line between a run and its workers: calls by name over a socket, on this machine a Unix one.

Only processes of the same user reach a Unix socket; over a network both sides prove that
they have the same key (multiprocessing.connection), and whoever reads it on the way sees
the documents. The connection by which a worker joins, and reports, is its life: when it
ends, the worker is lost.
"""

import contextlib
import os
import socket
import tempfile
import threading
import urllib.parse
from collections.abc import Iterator
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from tasks.base.errors import DocmillError, JobPaused, LeaderLost
from tasks.workers.leader import Leader
from tasks.workers.messages import Address, plain

CALLS = frozenset(
    {"join", "heartbeat", "next", "finished", "grant", "lease", "may_claim", "claimed", "is_first", "broke"}
)
# A worker that hasn't reported for this long is lost.
GONE_SECONDS = 60.0
WAITING = 128


@contextlib.contextmanager
def serving(leading: Leader, reached_from: str | None = None, key: bytes | None = None) -> Iterator[Address]:
    """Answer the workers for the block; yield the address, which on a network is the one seen from `reached_from`."""
    with contextlib.ExitStack() as stack:
        if reached_from is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="docmill-"))
            listener = Listener(os.path.join(folder, "run"), "AF_UNIX", WAITING)  # noqa: PTH118 - a socket's address
            address: Address = listener.address
        else:
            host = _host_towards(reached_from)
            listener = Listener((host, 0), "AF_INET", WAITING, key)
            address = (host, listener.address[1])
        server = _Server(listener, leading)
        stack.callback(server.close, address, key)
        yield address


class _Server:
    """A thread that accepts connections, and one for each of them."""

    def __init__(self, listener: Listener, leading: Leader) -> None:
        self._listener, self._leading = listener, leading
        self._is_over = False
        self._thread = threading.Thread(target=self._accept, name="workers", daemon=True)
        self._thread.start()

    def close(self, address: Address, key: bytes | None) -> None:
        """Accept nobody any more."""
        self._is_over = True
        with contextlib.suppress(OSError, EOFError, AuthenticationError):
            Client(address, authkey=key).close()  # wakes the thread that accepts
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._is_over:
            try:
                connection = self._listener.accept()
            except (OSError, EOFError, AuthenticationError):  # somebody else's, or cut off
                continue
            threading.Thread(target=self._attend, args=(connection,), name="worker", daemon=True).start()

    def _attend(self, connection: Connection) -> None:
        worker = ""
        try:
            while not worker or connection.poll(GONE_SECONDS):
                method, arguments = connection.recv()
                worker = worker or (arguments[0] if method == "join" else "")
                connection.send(self._answer(method, arguments))
        except (OSError, EOFError):
            pass
        finally:
            connection.close()
            if worker:
                self._leading.lose(worker)

    def _answer(self, method: str, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
        if method not in CALLS:
            return False, DocmillError(f"a worker asks for {method}")
        try:
            return True, getattr(self._leading, method)(*arguments)
        except JobPaused as error:
            return False, plain(error)
        except DocmillError as error:
            return False, error
        except Exception as error:  # noqa: BLE001 - the worker is to know, whatever it was
            return False, DocmillError(f"{type(error).__name__}: {error}")


class RpcClient:
    """Calls the run's methods by name, from any thread. A LeaderApi."""

    def __init__(self, address: Address, key: bytes | None = None) -> None:
        self._address, self._key = address, key
        self._idle: list[Connection] = []

    def __getattr__(self, method: str) -> Any:
        """Return a function that calls a method of the run; it raises LeaderLost if the run is gone, and its errors."""
        if method not in CALLS:
            raise AttributeError(method)
        return lambda *arguments: self._ask(method, arguments)

    def _ask(self, method: str, arguments: tuple[Any, ...]) -> Any:
        try:
            connection = self._connected()
            connection.send((method, arguments))
            is_good, answer = connection.recv()
        except (OSError, EOFError, AuthenticationError) as error:
            raise LeaderLost(f"the run can't be reached any more ({type(error).__name__})") from error
        self._idle.append(connection)
        if not is_good:
            raise answer
        return answer

    def _connected(self) -> Connection:
        with contextlib.suppress(IndexError):  # other threads take of them, too
            return self._idle.pop()
        return Client(self._address, authkey=self._key)

    def close(self) -> None:
        """Leave the run."""
        while self._idle:
            self._idle.pop().close()


def _host_towards(place: str) -> str:
    """Return this machine's address as a host sees it; no packet is sent for that."""
    parts = urllib.parse.urlsplit(place if "://" in place else f"//{place}")
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.connect((parts.hostname or "127.0.0.1", parts.port or 9))
        return str(probe.getsockname()[0])
