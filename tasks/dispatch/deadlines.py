"""Deadlines for many tasks by one timer: half a second late at the most, and nearly free.

A timer a call, as asyncio.timeout and aiohttp set, costs a tenth of the time of a
call that is answered at once.
"""

import asyncio
import contextlib
from collections.abc import Iterator

LOOK_SECONDS = 0.5


class Deadlines:
    """The deadlines of the tasks of one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._due: dict[asyncio.Task[object], float] = {}
        self._overdue: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Cancel the running task once `seconds` have passed, and raise TimeoutError in its place."""
        task = asyncio.current_task()
        assert task is not None
        self._due[task] = self._loop.time() + seconds
        if self._timer is None:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)
        try:
            yield
        except BaseException as error:
            # Undo the cancellation, whatever exception it has become on the way here.
            if task in self._overdue and task.uncancel() == 0 and isinstance(error, asyncio.CancelledError):
                raise TimeoutError from None
            raise
        finally:
            self._due.pop(task, None)
            self._overdue.discard(task)

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        for task in [task for task, due in self._due.items() if due <= now]:
            del self._due[task]
            self._overdue.add(task)
            task.cancel()
        self._timer = self._loop.call_later(LOOK_SECONDS, self._look) if self._due else None
