"""A simulated provider in a process of its own, for the benchmarks."""

import json
import os
import subprocess
import sys
import urllib.request
from types import TracebackType
from typing import Any, Self

KEY = "secret-key-of-the-tests"


class Provider:
    """Serves while the block runs; the environment names it as the openai-compatible server."""

    def __init__(self, settings: dict[str, Any]) -> None:
        command = [sys.executable, "-m", "tests.simulator", "0", "--settings", json.dumps(settings)]
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._server.stdout is not None
        self.url = self._server.stdout.readline().strip()

    def __enter__(self) -> Self:
        os.environ |= {"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": KEY}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.terminate()
        self._server.wait()

    def change(self, settings: dict[str, Any]) -> None:
        """Change its settings while it runs."""
        root = self.url.removesuffix("/v1")
        body = json.dumps(settings).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{root}/settings", body)):
            pass

    def counts(self) -> dict[str, Any]:
        """Return what it was asked and answered so far."""
        with urllib.request.urlopen(self.url.removesuffix("/v1") + "/counts") as reply:
            found: dict[str, Any] = json.load(reply)
        return found
