"""An event loop in virtual time: hours of sleeping pass in milliseconds.

For code that only sleeps and waits for itself. Threads and sockets take real time, which
doesn't exist here: the clock would run past them.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlock(RuntimeError):
    """Everybody waits, nobody sleeps: no time could ever bring this to its end."""


class Clock(selectors.DefaultSelector):
    """A selector that moves its time on instead of waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # The loop's own pipe must still be heard: Ctrl-C comes through it.
        if events := super().select(0):
            return events
        if timeout is None:
            raise Deadlock("nothing is ready and nobody sleeps: all tasks wait for one another, a thread or a socket")
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time jumps to the next timer as soon as nothing is ready."""

    def __init__(self) -> None:
        self._virtual = Clock()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run_virtually(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end in virtual time that begins at 0; tasks left over are cancelled."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)
