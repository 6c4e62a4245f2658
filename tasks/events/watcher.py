"""Hand events to their sinks on a separate thread, so that no call waits for a disk."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tasks.events.event import LEVELS, Event, Name, Observer, Read

# The longest queue; once it is half full, events of level debug are dropped.
MOST = 40_000
AT_ONCE = 2_000
LOOK_SECONDS = 0.1
# How long to wait for room in a full queue; after that it counts as stuck, and new events are dropped.
PATIENCE_SECONDS = 2.0
CLOSE_SECONDS = 10.0

Trouble = Callable[[str], None]


class Sink(Protocol):
    """Where events go; it is used by one thread."""

    def take(self, events: Sequence[Event]) -> None:
        """Take events in their order. A sink that raises an exception, of any kind, gets no more events."""
        ...


class Watcher:
    """The observer of one job. `trouble` is called once for each sink that fails."""

    def __init__(self, sinks: Sequence[Sink], trouble: Trouble, readers: list[Read], most: int = MOST) -> None:
        self.dropped = 0
        self._sinks, self._trouble, self._readers = list(sinks), trouble, readers
        self._most, self._some = most, most // 2
        self._queue: deque[Event] = deque()
        self._stuck = False
        self._counting = threading.Lock()
        self._said = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def note(self, name: Name, /, **fields: Any) -> None:
        """Queue an event."""
        self.put(name, fields)

    def put(self, name: Name, fields: dict[str, Any]) -> None:
        """Queue an event; it keeps `fields`, which the caller must not change any more."""
        if len(self._queue) < self._some or self._has_room(name):
            self._queue.append(Event(time.time(), name, fields))

    def bound(self, **fields: Any) -> Observer:
        """Return an observer that adds these fields to its events."""
        return _Bound(self, fields)

    def gauges(self, read: Read) -> None:
        """Register a function that reads the gauges."""
        self._readers.append(read)

    def close(self) -> None:
        """Hand on what waits, for up to CLOSE_SECONDS."""
        self._done.set()
        self._thread.join(CLOSE_SECONDS)

    def _has_room(self, name: Name) -> bool:
        """Whether an event may join a queue this long: debug events are dropped, others wait for room."""
        if LEVELS.get(name) != "debug":
            deadline = time.monotonic() + (0.0 if self._stuck else PATIENCE_SECONDS)
            while len(self._queue) >= self._most and time.monotonic() < deadline:
                time.sleep(LOOK_SECONDS / 10)
            self._stuck = len(self._queue) >= self._most
            if not self._stuck:
                return True
        with self._counting:
            self.dropped += 1
        return False

    def _run(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            self._hand_on()
        self._hand_on()

    def _hand_on(self) -> None:
        queue = self._queue
        while queue:
            events = [queue.popleft() for _ in range(min(len(queue), AT_ONCE))]
            self._give(events)
        if self.dropped > self._said:
            count, self._said = self.dropped - self._said, self.dropped
            self._give([Event(time.time(), "events dropped", {"count": count})])

    def _give(self, events: Sequence[Event]) -> None:
        for sink in list(self._sinks):
            try:
                sink.take(events)
            except Exception as error:  # noqa: BLE001 - a failing sink never stops the job
                self._sinks.remove(sink)
                words = error.strerror if isinstance(error, OSError) else None
                self._trouble(f"no more events are written ({words or type(error).__name__}); the job goes on")


class _Bound:
    """An observer with fields of its own."""

    def __init__(self, watcher: Watcher, fields: dict[str, Any]) -> None:
        self._put, self._watcher, self._fields = watcher.put, watcher, fields

    def note(self, name: Name, /, **fields: Any) -> None:
        fields.update(self._fields)
        self._put(name, fields)

    def bound(self, **fields: Any) -> Observer:
        return _Bound(self._watcher, self._fields | fields)

    def gauges(self, read: Read) -> None:
        self._watcher.gauges(read)
