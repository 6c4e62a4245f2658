"""Events wait in a bounded queue: what matters least is dropped first, and that is said."""

import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from tasks.events import watcher as watching
from tasks.events.event import Event, MetricReading, Name
from tasks.events.watcher import Watcher


class Slow:
    """A sink that takes nothing until it is let go."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.came = threading.Event()
        self.events: list[Event] = []

    def take(self, events: Sequence[Event]) -> None:
        self.came.set()
        assert self.gate.wait(30)
        self.events += events

    def count(self, name: Name) -> int:
        return sum(event.name == name for event in self.events)


@pytest.fixture
def slow() -> Iterator[Slow]:
    sink = Slow()
    yield sink
    sink.gate.set()


def held_up(slow: Slow, most: int) -> Watcher:
    """A watcher whose sink is busy with a first event."""
    watcher = Watcher([slow], lambda _: None, [], most)
    watcher.note("job began")
    assert slow.came.wait(10)
    return watcher


def test_beyond_half_of_the_queue_debug_lines_are_dropped_and_counted(slow: Slow) -> None:
    watcher = held_up(slow, 100)
    for _ in range(80):
        watcher.note("call sent")
    for _ in range(40):
        watcher.note("call answered")
    slow.gate.set()
    watcher.close()
    assert (slow.count("call sent"), slow.count("call answered"), watcher.dropped) == (50, 40, 30)
    assert [event.fields for event in slow.events if event.name == "events dropped"] == [{"count": 30}]


def test_what_matters_waits_for_its_turn_and_nothing_of_it_is_lost(slow: Slow) -> None:
    watcher = held_up(slow, 10)
    threading.Timer(0.2, slow.gate.set).start()
    for _ in range(50):
        watcher.note("call answered")
    watcher.close()
    assert (slow.count("call answered"), watcher.dropped) == (50, 0)


def test_a_sink_that_is_stuck_holds_nobody_up_for_long(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(watching, "CLOSE_SECONDS", 0.1)
    watcher = held_up(slow, 10)
    began = time.monotonic()
    for _ in range(1000):
        watcher.note("call answered")
    watcher.close()
    assert time.monotonic() - began < 5
    assert watcher.dropped == 990


def test_a_sink_that_fails_gets_no_more_and_the_others_go_on(slow: Slow) -> None:
    class Broken:
        def take(self, events: Sequence[Event]) -> None:
            raise ValueError("with the text of a document")

    slow.gate.set()
    said: list[str] = []
    watcher = Watcher([Broken(), slow], said.append, [])
    for _ in range(3):
        watcher.note("call answered")
        time.sleep(0.15)
    watcher.close()
    assert said == ["no more events are written (ValueError); the job goes on"]
    assert slow.count("call answered") == 3


def test_fields_that_are_bound_stand_in_every_event(slow: Slow) -> None:
    slow.gate.set()
    readers: list[object] = []
    watcher = Watcher([slow], lambda _: None, readers)  # type: ignore[arg-type]
    bound = watcher.bound(provider="one").bound(model="two")
    bound.note("call sent", call_id="three")
    bound.gauges(lambda: [MetricReading("in_flight", 1, {})])
    watcher.close()
    assert slow.events[0].fields == {"provider": "one", "model": "two", "call_id": "three"}
    assert len(readers) == 1
