"""How far it is from a document to the socket: every coroutine between them costs each call, and whoever reads it."""

import inspect
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import RunJob
from tests.jobs.texts import fill
from tests.simulator import Simulator

MOST = 11


def coroutines() -> list[str]:
    """The coroutines that wait for the one that calls this, the task's own first."""
    frame, names = sys._getframe(1), list[str]()
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_flags & inspect.CO_COROUTINE:
            names.insert(0, frame.f_code.co_qualname)
    return names


def test_few_coroutines_stand_between_a_document_and_the_socket(
    folder: Path, provider: Simulator, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, 3)
    seen: list[list[str]] = []
    request = aiohttp.ClientSession.request

    def noted(self: aiohttp.ClientSession, method: str, *given: Any, **named: Any) -> Any:
        if method == "POST":
            seen.append(coroutines())
        return request(self, method, *given, **named)

    monkeypatch.setattr(aiohttp.ClientSession, "request", noted)
    run_job()
    assert len(seen) == provider.counts.requests == 3
    for names in seen:
        assert names[0].endswith("DocumentShard._one")
        assert len(names) <= MOST, names
