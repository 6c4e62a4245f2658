"""A temporary Prefect server for a run without one, and access to the keys in Prefect's blocks.

Prefect starts a server by itself at a flow's first call, but only then, and leaves it
behind when the run is killed. This one starts while the job is being planned,
on a free port, in a session of its own (so that Ctrl-C doesn't reach it), and ends as
soon as the pipe to its parent closes, however the parent died.
"""

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from prefect.blocks.system import Secret
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, temporary_settings

from tasks.base.errors import DocmillError, UserMistake
from tasks.providers.local_server import free_port

START_SECONDS = 90
# An interrupted run must end soon: how long to wait for log lines to reach the server, and for its end.
DRAIN_SECONDS, STOP_SECONDS = 2.0, 1.0
CHILD = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
import uvicorn
uvicorn.run("prefect.server.api.server:create_app", factory=True, host="127.0.0.1", port=int(sys.argv[1]),
            log_level="error", lifespan="on")
"""
QUIET = {
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
}


class ServerFailed(DocmillError):
    """The Prefect server didn't come up."""


@contextlib.contextmanager
def starting_server() -> Iterator["PrefectServer"]:
    """Start a server for the block, unless Prefect is set up with one; it may not be ready yet."""
    server = PrefectServer(None if PREFECT_API_URL.value() else free_port())
    try:
        yield server
    finally:
        server.stop()


class PrefectServer:
    """A server that is starting; without a port, one that is running already."""

    def __init__(self, port: int | None) -> None:
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None
        if port is not None:
            command = [sys.executable, "-c", CHILD, str(port)]
            self._process = subprocess.Popen(  # noqa: S603 - our own words
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | QUIET,
                start_new_session=True,
            )

    @contextlib.contextmanager
    def ready(self) -> Iterator[None]:
        """Wait until it answers, and have Prefect use it while the block runs.

        Raises ServerFailed where it doesn't come up.
        """
        if self.port is None:
            _require(PREFECT_API_URL.value())
            yield
            return
        url = f"http://127.0.0.1:{self.port}/api"
        self._wait_for(f"{url}/health")
        with temporary_settings({PREFECT_API_URL: url}):
            try:
                yield
            finally:
                # Send the run's remaining log lines before the server ends.
                deadline = time.monotonic() + DRAIN_SECONDS
                for worker in (APILogWorker, EventsWorker):
                    worker.drain_all(timeout=max(deadline - time.monotonic(), 0.0))

    def _wait_for(self, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process and self._process.poll() is None:
            try:
                with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 - loopback
                    if reply.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise ServerFailed(
            "Prefect's temporary server didn't start: run `prefect server start` in another terminal, "
            "set PREFECT_API_URL=http://127.0.0.1:4200/api, and try again"
        )

    def stop(self) -> None:
        """End the server; closing the pipe alone would be enough."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()


def _require(url: str | None) -> None:
    """Raise UserMistake if no server answers at the URL that Prefect is configured with."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=10):  # noqa: S310 - Prefect's own setting
            return
    except urllib.error.HTTPError:
        return  # a server does answer; Prefect itself will report what it refuses
    except (urllib.error.URLError, OSError, ValueError) as error:
        fix = "start it with `prefect server start`, or unset PREFECT_API_URL"
        raise UserMistake(f"Prefect's server at {url} doesn't answer ({error}): {fix}") from error


def block_key(provider: str) -> str | None:
    """Return the key in the block `PROVIDER-api-key`, or None where there is none.

    Only a server that Prefect is set up with is asked: the temporary one of a run
    begins without blocks.
    """
    if not PREFECT_API_URL.value():
        return None
    try:
        block = Secret.load(f"{provider}-api-key")
    except Exception:  # noqa: BLE001 - no such block, or no server there: the run itself says so
        return None
    # Called outside of any event loop, `load` is synchronous.
    return str(block.get()) or None if isinstance(block, Secret) else None
