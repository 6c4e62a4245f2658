"""How long a job holds up its event loop while it tokenizes and cuts long texts.

`python -m tests.benchmarks.held [texts=6] [characters=20000000]`: `flows.summarize`'s job in this process, without
Prefect. A watchdog times every callback of the loop: the longest by the clock, which includes waiting for a
processor that others have, and by what the loop's thread computed itself.
"""

import asyncio
import sys
import tempfile
import time
from asyncio.events import Handle
from pathlib import Path
from typing import Self

import pytest

from tasks.running import runtime
from tests.benchmarks.provider import Provider
from tests.benchmarks.texts import write_documents
from tests.benchmarks.watching import SETTINGS, pipeline


class Watchdog:
    """Times every callback of the thread named `dispatch`, on which a job's event loop runs."""

    def __init__(self) -> None:
        self.longest = self.computing = 0.0
        self._run = Handle._run

    def __enter__(self) -> Self:
        run = self._run

        def timed(handle: Handle) -> None:
            began, computed = time.perf_counter(), time.thread_time()
            run(handle)
            self.computing = max(self.computing, time.thread_time() - computed)
            self.longest = max(self.longest, time.perf_counter() - began)

        Handle._run = timed  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *_: object) -> None:
        Handle._run = self._run  # type: ignore[method-assign]


def main(texts: int, size: int) -> None:
    """Run the job once, and print the longest that one callback took."""
    with tempfile.TemporaryDirectory() as name, Provider(SETTINGS), pytest.MonkeyPatch.context() as patch:
        write_documents(Path(name) / "documents", texts, size)
        # uvloop's callbacks can't be timed from Python; the work in them is the same.
        patch.setattr(runtime, "new_event_loop", asyncio.new_event_loop)
        with Watchdog() as watchdog:
            seconds = pipeline(Path(name), "watched", 500)
    print(f"{texts} texts of {size:,} characters in {seconds:.1f} s")
    print("| longest callback by the clock | computing |\n|---|---|")
    print(f"| {watchdog.longest * 1000:.0f} ms | {watchdog.computing * 1000:.0f} ms |")


if __name__ == "__main__":
    main(*[*map(int, sys.argv[1:]), *(6, 20_000_000)[len(sys.argv) - 1 :]])
