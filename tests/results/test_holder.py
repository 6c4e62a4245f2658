"""One run a bucket's result set: the second is told who holds it; a dead one's is taken over."""

import json
import os
import socket
import subprocess
import sys
import threading
import uuid
from typing import Any

import pytest

from tasks.base.errors import StorageFailed, UserMistake
from tasks.results import bucket_lock as holder
from tasks.results.bucket import RemoteFolder
from tasks.results.bucket_lock import NAME, BucketHolder, TakenOver, held

HERE = socket.gethostname()


def unheard(error: StorageFailed) -> None:
    raise error


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["memory", "s3"])
def folder(request: pytest.FixtureRequest) -> RemoteFolder:
    if request.param == "s3":
        return RemoteFolder(request.getfixturevalue("s3") + "/out")
    return RemoteFolder(f"memory://{uuid.uuid4().hex}")


def left_by(folder: RemoteFolder, **who: Any) -> None:
    """Leave a holder as a process does that was killed."""
    value = json.loads(folder.read(NAME) or b"{}") | who
    folder.put(NAME, json.dumps(value).encode())


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    return child.pid


def test_the_second_is_told_who_holds_it(folder: RemoteFolder) -> None:
    clock = Clock()
    BucketHolder(folder, clock).take()
    clock.now += 80
    with pytest.raises(
        UserMistake, match=rf"{folder.location} is in use by process {os.getpid()} on {HERE} since .*--output"
    ):
        BucketHolder(folder, clock).take()


def test_it_is_free_after_its_block_however_that_ends(folder: RemoteFolder) -> None:
    for _ in range(2):
        with held(folder, unheard):
            assert folder.read(NAME) is not None
        assert folder.read(NAME) is None
    with pytest.raises(ZeroDivisionError), held(folder, unheard):
        _ = 1 / 0
    assert folder.read(NAME) is None


def test_a_killed_process_of_this_host_is_taken_over_at_once(folder: RemoteFolder) -> None:
    clock = Clock()
    BucketHolder(folder, clock).take()
    left_by(folder, pid=dead_pid())
    BucketHolder(folder, clock).take()


def test_one_that_could_not_leave_is_taken_over_by_the_same_process(folder: RemoteFolder) -> None:
    first = BucketHolder(folder)
    first.take()
    last = folder.read(NAME)
    first.leave()
    folder.put(NAME, last or b"")
    BucketHolder(folder).take()


def test_one_of_another_host_is_taken_over_once_it_has_not_beaten_for_long(folder: RemoteFolder) -> None:
    clock = Clock()
    first = BucketHolder(folder, clock)
    first.take()
    left_by(folder, host="another", pid=dead_pid())
    clock.now += 60
    first.beat()
    left_by(folder, host="another", pid=dead_pid())
    clock.now += 89
    with pytest.raises(UserMistake, match="on another"):
        BucketHolder(folder, clock).take()
    clock.now += 2
    BucketHolder(folder, clock).take()


def test_one_that_was_taken_over_is_told_and_leaves_the_other_its_own(folder: RemoteFolder) -> None:
    clock = Clock()
    first, second = BucketHolder(folder, clock), BucketHolder(folder, clock)
    first.take()
    clock.now += 91
    second.take()
    with pytest.raises(TakenOver, match=f"{folder.location} was taken over by process"):
        first.beat()
    first.leave()
    second.beat()


def test_a_holder_that_cannot_be_read_is_none(folder: RemoteFolder) -> None:
    for junk in (b"{", b"[]", b"{}"):
        folder.put(NAME, junk)
        taken = BucketHolder(folder)
        taken.take()
        taken.leave()


def test_of_two_at_the_same_instant_one_holds_it(folder: RemoteFolder) -> None:
    gate, outcomes = threading.Barrier(4), list[str]()

    def take() -> None:
        gate.wait()
        try:
            BucketHolder(folder).take()
            outcomes.append("held")
        except UserMistake:
            outcomes.append("told")

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["held", "told", "told", "told"]


def test_a_run_beats_while_it_lives_and_hears_when_it_is_taken_over(
    folder: RemoteFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holder, "BEAT_SECONDS", 0.01)
    lost, told = threading.Event(), list[StorageFailed]()

    def hear(error: StorageFailed) -> None:
        told.append(error)
        lost.set()

    with held(folder, hear):
        while not lost.wait(0.05):  # a beat under way may have read before, and write after
            left_by(folder, token="of another")
    assert isinstance(told[0], TakenOver)
