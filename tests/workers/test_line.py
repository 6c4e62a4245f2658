"""Workers reach their run over a real socket, hear its errors, and notice when it is gone."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base.errors import (
    BudgetReached,
    Interrupted,
    JobPaused,
    LeaderLost,
    NoRouteLeft,
    RouteDown,
    Transient,
    UserMistake,
)
from tasks.documents.document import Document
from tasks.jobs.job import Job
from tasks.jobs.job_context import DRAIN_SECONDS
from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tasks.running.opening import open_job
from tasks.running.work import Shard
from tasks.workers.leader import MOST_LOSSES, Leader
from tasks.workers.messages import Report, plain
from tasks.workers.rpc import RpcClient, serving
from tests.jobs.texts import fill
from tests.simulator import Simulator

NOTHING = Report({})


def shards(count: int) -> Iterator[Shard]:
    for number in range(1, count + 1):
        yield Shard(number, number, [Document(f"{number}.txt", "file:///none", 1)])


@pytest.fixture
def job(tmp_path: Path, folder: Path, provider: Simulator) -> Iterator[Job[Any]]:
    """A job whose shards are for workers, with a budget of $1."""
    fill(folder, 1)
    options = Options(
        output=str(tmp_path / "out"), provider="openai-compatible", model="sim-model", runner="processes",
        budget=1.0, price="1/1",
    )  # fmt: skip
    with open_job(prepare("summarize", [str(folder)], options)) as opened:
        yield opened


def until(true: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_worker_that_is_cut_off_is_lost_and_another_does_its_shards(job: Job[Any]) -> None:
    leading = Leader(job, shards(3))
    with serving(leading) as address:
        first, pulse, second = RpcClient(address), RpcClient(address), RpcClient(address)
        pulse.join("a", "1 on here", job.fingerprint)
        pulse.heartbeat("a", NOTHING)
        second.join("b", "2 on here", job.fingerprint)
        assert [first.next("a", True).number, second.next("b", True).number] == [1, 2]
        pulse.close()
        until(lambda: leading.at_work == ["b"])
        again = second.next("b", True)
        assert (again.number, again.part, again.again) == (1, 1, True)
        with pytest.raises(LeaderLost):
            first.finished("a", 1, 0)
        assert second.next("b", True).number == 3
        for number in (1, 2, 3):
            assert not leading.is_over
            second.finished("b", number, 0)
        assert second.next("b", True) is None
        assert leading.is_over
        first.close()
        second.close()


def test_errors_travel_with_their_kind(job: Job[Any]) -> None:
    leading = Leader(job, shards(1))
    with serving(leading) as address:
        line = RpcClient(address)
        with pytest.raises(UserMistake, match="prepares another job"):
            line.join("a", "1 on here", "other work")
        line.join("a", "1 on here", job.fingerprint)
        with pytest.raises(BudgetReached):
            line.grant("a", 2.0, 0.0, 0.0)
        line.close()


@pytest.mark.parametrize(
    "error",
    [
        NoRouteLeft(RouteDown("down", Transient("timeout", "late", status=None))),
        BudgetReached("all spent"),
        JobPaused("x"),
    ],
)
def test_what_stops_one_worker_stops_the_run(job: Job[Any], error: JobPaused) -> None:
    leading = Leader(job, shards(1))
    with serving(leading) as address:
        pulse = RpcClient(address)
        pulse.join("a", "1 on here", job.fingerprint)
        orders = pulse.heartbeat("a", NOTHING._replace(stopped=plain(error)))
        assert (type(job.stopped()), str(job.stopped())) == (type(error), str(error))
        assert (orders.stop, orders.leave) == (str(error), True)
        pulse.close()


def test_an_interrupted_run_gives_its_workers_the_time_of_a_drain(job: Job[Any]) -> None:
    leading = Leader(job, shards(1))
    leading.join("a", "1 on here", job.fingerprint)
    job.stop(Interrupted(2))
    assert leading.heartbeat("a", NOTHING)[1:3] == (DRAIN_SECONDS, True)


def test_a_run_that_is_gone_is_noticed(job: Job[Any]) -> None:
    with serving(Leader(job, shards(1))) as address:
        line = RpcClient(address)
    with pytest.raises(LeaderLost):
        line.next("a", True)


def test_over_a_network_only_who_has_the_key_is_heard(job: Job[Any]) -> None:
    leading = Leader(job, shards(1))
    with serving(leading, "127.0.0.1:8786", b"the key of this run") as address:
        assert isinstance(address, tuple)
        with pytest.raises(LeaderLost):
            RpcClient(address, b"another key").join("a", "1 on here", job.fingerprint)
        line = RpcClient(address, b"the key of this run")
        line.join("a", "1 on here", job.fingerprint)
        assert line.next("a", True).number == 1
        line.close()


def test_what_can_not_be_listed_ends_the_run_with_its_own_error(job: Job[Any]) -> None:
    def broken() -> Iterator[Shard]:
        yield from shards(1)
        raise UserMistake("two documents of one name")

    leading = Leader(job, broken())
    leading.join("a", "1 on here", job.fingerprint)
    assert leading.next("a", True) is not None
    assert leading.next("a", True) is None
    assert isinstance(leading.error, UserMistake)


def test_documents_over_which_worker_after_worker_is_lost_stop_the_job(job: Job[Any]) -> None:
    leading = Leader(job, shards(1))
    for number in range(MOST_LOSSES):
        assert job.stopped() is None
        leading.join(str(number), f"{number} on here", job.fingerprint)
        assert leading.next(str(number), True) is not None
        leading.lose(str(number))
    assert "workers in turn were lost over the same documents" in str(job.stopped())


class Crew:
    """Four workers of a run, of which any may be lost; another comes in its place then."""

    def __init__(self, count: int) -> None:
        self.leading = Leader(Bare(), shards(count))  # type: ignore[arg-type]
        self.held: dict[str, list[Shard]] = {}
        self.done: list[int] = []
        self.names = [self._join() for _ in range(4)]

    def _join(self) -> str:
        name = str(len(self.held))
        self.leading.join(name, name, "work")
        self.held[name] = []
        return name

    def next(self, which: int) -> None:
        name = self.names[which]
        shard = self.leading.next(name, True)
        if shard is not None:
            assert shard.number not in self.done
            assert all(shard.number != other.number for other in self.in_hand)
            self.held[name].append(shard)

    def finish(self, which: int) -> None:
        name = self.names[which]
        if self.held[name]:
            shard = self.held[name].pop(0)
            self.leading.finished(name, shard.number, 0)
            self.done.append(shard.number)

    def claim(self, which: int) -> None:
        for shard in self.held[self.names[which]][:1]:
            if self.leading.may_claim(shard.number):
                self.leading.claimed(shard.number)
            else:
                assert any(other.number < shard.number for other in [*self.in_hand, *self.leading._again])

    def lose(self, which: int) -> None:
        self.leading.lose(self.names[which])
        self.held[self.names[which]] = []
        self.names[which] = self._join()

    @property
    def in_hand(self) -> list[Shard]:
        return [shard for some in self.held.values() for shard in some]


events = st.lists(st.tuples(st.sampled_from(["next", "finish", "lose", "claim"]), st.integers(0, 3)), max_size=60)


@given(events)
@settings(max_examples=100, deadline=None)
def test_every_shard_is_finished_once_whoever_is_lost(happened: list[tuple[str, int]]) -> None:
    crew = Crew(6)
    for what, which in happened:
        getattr(crew, what)(which)
    if crew.leading.job.stopped():
        assert max(crew.leading._losses.values()) == MOST_LOSSES
        return
    while not crew.leading.is_over:
        for which in range(4):
            crew.next(which)
            crew.finish(which)
    assert sorted(crew.done) == [1, 2, 3, 4, 5, 6]


class Bare:
    """As much of a job as shards are handed out by."""

    class Prepared:
        class options:  # noqa: N801 - as a job has it
            budget = None

    class Meter:
        def trouble(self, *_: str) -> None: ...

    prepared, meter, fingerprint, unchanged = Prepared, Meter(), "work", 0

    def __init__(self) -> None:
        self._stopped: JobPaused | None = None

    def stop(self, reason: JobPaused) -> None:
        self._stopped = reason

    def stopped(self) -> JobPaused | None:
        return self._stopped
