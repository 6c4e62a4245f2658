"""A job that stopped goes on where it was: nothing that had arrived is asked for again."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.base.errors import Interrupted, InUse, StorageFailed, UserMistake
from tasks.jobs import document_shard as shard
from tasks.jobs import writing as write
from tasks.jobs.job import Job
from tasks.ledger.ledger import Ledger
from tasks.planning import state_location as places
from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tasks.running.opening import open_job
from tests.conftest import RunJob, hasten
from tests.jobs.texts import fill, prose, put
from tests.simulator import Simulator, error

ROOT = Path(__file__).parents[2]


class Stopper:
    """Stops the job from the provider's side, at its so-manieth request."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.jobs: list[Job] = []

    def opened(self, job: Job) -> None:
        hasten(job)
        self.jobs.append(job)

    def fault(self, number: int, _: dict[str, Any]) -> None:
        if number == self.at:
            self.jobs[-1].stop(Interrupted(2))


TIMES = {"job_id", "finished_at", "created_at", "failed_at", "latency_ms", "attempts"}


def stable(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Rows in a stable order, without times and attempts."""
    return sorted([f"{name}={value}" for name, value in row.items() if name not in TIMES] for row in rows)


def test_an_interrupted_job_goes_on_without_asking_anything_twice(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 40)
    put(folder, "long.txt", prose(80_000, "long"))
    stopper = Stopper(at=15)

    def stop_and_be_slow(number: int, body: dict[str, Any]) -> None:
        stopper.fault(number, body)
        provider.settings.latency = 0.5 if number >= 12 else 0.02  # the last ones are still on their way

    provider.settings.fault = stop_and_be_slow
    first = run_job(opened=stopper.opened, concurrency=4)
    counts = provider.counts
    assert (first.code, first.record.status) == (130, "paused")
    assert first.record.reason is not None
    assert 15 <= counts.requests < 30
    assert counts.answers == counts.requests  # what was in flight was waited for
    provider.settings.fault, provider.settings.latency = None, 0.0
    again = run_job(concurrency=4)
    assert (again.code, again.record.status) == (0, "done")
    assert again.record.job_id == first.record.job_id
    assert set(counts.answered.values()) == {1}
    assert counts.requests == len(counts.bodies) == len(again.rows("calls"))
    assert len(again.documents) == again.record.totals.documents == again.record.totals.done == 41
    assert again.record.totals.prompt_tokens == counts.prompt_tokens


def test_a_job_interrupted_many_times_ends_with_the_rows_of_an_undisturbed_one(
    folder: Path, provider: Simulator, run_job: RunJob, tmp_path: Path
) -> None:
    fill(folder, 12)
    put(folder, "long.txt", prose(50_000, "long"))
    undisturbed = run_job(output=tmp_path / "undisturbed")
    provider.settings.latency = 0.01
    for _ in range(50):
        stopper = Stopper(provider.counts.requests + 4)
        provider.settings.fault = stopper.fault
        ran = run_job(opened=stopper.opened, concurrency=2)
        if ran.code == 0:
            break
        assert ran.code == 130
    assert ran.record.status == "done"
    assert set(provider.counts.answered.values()) == {2}  # once undisturbed, once in all the others
    for table in ("documents", "calls", "failures"):
        assert stable(ran.rows(table)) == stable(undisturbed.rows(table)), table


def test_a_disk_that_fills_pauses_the_job_and_what_was_paid_is_kept(
    folder: Path, provider: Simulator, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, 6)

    def opened(job: Job) -> None:
        hasten(job)

        def refuse(*_: Any, **__: Any) -> None:
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr(pq.ParquetWriter, "write_table", refuse)

    stopped = run_job(opened=opened)
    assert (stopped.code, stopped.record.status) == (4, "paused")
    assert "can't be written: No space left on device" in str(stopped.record.reason)
    monkeypatch.undo()
    monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
    monkeypatch.setenv("OPENAI_API_KEY", str(provider.settings.key))
    monkeypatch.delenv("APIPIE_API_KEY", raising=False)
    asked = provider.counts.requests
    assert asked == 6
    ran = run_job()
    assert provider.counts.requests == asked
    assert (ran.code, len(ran.documents), ran.record.totals.done) == (0, 6, 6)


def test_a_second_run_on_the_same_output_is_told_who_holds_it(
    folder: Path, provider: Simulator, run_job: RunJob, tmp_path: Path
) -> None:
    fill(folder, 2)
    options = Options(output=tmp_path / "out", provider="openai-compatible", model="sim-model")
    prepared = prepare("summarize", [str(folder)], options)
    with open_job(prepared), pytest.raises(UserMistake, match=f"in use by process {os.getpid()} on "):
        run_job()
    assert provider.counts.requests == 0
    assert run_job().code == 0


def test_a_run_that_is_to_wait_goes_on_once_the_other_one_has_ended(
    folder: Path, provider: Simulator, run_job: RunJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "LOOK_AGAIN_SECONDS", 0.02)
    fill(folder, 2)
    options = Options(output=tmp_path / "out", provider="openai-compatible", model="sim-model")
    held, ended = threading.Event(), threading.Event()

    def other() -> None:
        with open_job(prepare("summarize", [str(folder)], options)):
            held.set()
            time.sleep(0.3)
            ended.set()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(other)
        assert held.wait(20)
        with pytest.raises(InUse, match="in use by process"):
            run_job(wait=0.05)
        ran = run_job(wait=20.0)
        assert ended.is_set()
        done.result()
    assert (ran.code, ran.record.totals.done) == (0, 2)


def test_the_result_set_of_another_input_folder_is_added_to(
    folder: Path, provider: Simulator, run_job: RunJob, tmp_path: Path
) -> None:
    put(folder, "a.txt", prose(300, "a"))
    run_job()
    (folder / "a.txt").unlink()
    put(folder, "b.txt", prose(300, "b"))
    ran = run_job()
    assert set(ran.documents) == {"a.txt", "b.txt"}
    assert ran.record.totals.documents == 1


def test_a_ledger_that_cannot_be_written_pauses_the_job(
    folder: Path, provider: Simulator, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, 6)

    async def refuse(*_: Any, **__: Any) -> None:
        raise StorageFailed("the ledger can't be written: disk full")

    with monkeypatch.context() as broken:
        broken.setattr(Ledger, "record", refuse)
        ran = run_job(concurrency=1)
    assert (ran.code, ran.record.status) == (4, "paused")
    assert "ledger" in str(ran.record.reason)
    asked = provider.counts.requests
    assert asked <= 2
    assert (run_job().code, provider.counts.answers) == (0, 6 + asked)


DIES = """
import sys
import time
from pathlib import Path
from tasks.running.opening import open_job
from tasks.prompting.options import Options
from tasks.planning.prepare import prepare
from tasks.jobs.document_shard import run_shard, shards

options = Options(output=Path(sys.argv[2]), provider="openai-compatible", model="sim-model", concurrency=4)
prepared = prepare("summarize", [sys.argv[1]], options)
with open_job(prepared) as job:
    for documents in shards(job.documents(), 8192):
        job.run(run_shard(job, documents))
    job.conclude()
"""


def _kill(process: "subprocess.Popen[bytes]", last: int, number: int, _: dict[str, Any]) -> None:
    if number == last:
        process.kill()


def test_a_job_killed_with_9_repeats_only_what_was_in_flight(
    folder: Path, provider: Simulator, run_job: RunJob, tmp_path: Path
) -> None:
    fill(folder, 30)
    put(folder, "long.txt", prose(60_000, "long"))
    undisturbed = run_job(output=tmp_path / "undisturbed", concurrency=4)
    before = provider.counts.answered.copy()
    provider.settings.latency = 0.01
    for _ in range(3):
        last = provider.counts.requests + 12
        with subprocess.Popen([sys.executable, "-c", DIES, str(folder), str(tmp_path / "out")], cwd=ROOT) as process:
            provider.settings.fault = partial(_kill, process, last)
            assert process.wait(60) == -9
        provider.settings.fault = None
    ran = run_job(concurrency=4)
    repeated = sum(number - 1 for number in (provider.counts.answered - before).values())
    assert ran.code == 0
    assert repeated <= 3 * 4
    for table in ("documents", "calls", "failures"):
        assert stable(ran.rows(table)) == stable(undisturbed.rows(table)), table


def test_a_retry_of_what_failed_that_met_a_full_disk_is_taken_up_again(
    folder: Path, provider: Simulator, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, 3)
    put(folder, "bad.txt", "POISON")
    provider.settings.fault = lambda _, body: error(400, "no") if "POISON" in str(body) else None
    assert run_job().code == 3
    provider.settings.fault = None
    with monkeypatch.context() as full:
        full.setattr(write, "write_part", _full)
        assert run_job(retry_failed=True).code == 4
    ran = run_job(retry_failed=True)
    assert ran.code == 0
    assert ran.documents["bad.txt"]["status"] == "done"
    assert ran.rows("failures") == []


def _full(*_: Any) -> None:
    raise StorageFailed("part-000001.parquet can't be written: No space left on device")


def test_calls_that_take_too_long_to_drain_are_left_and_asked_again_later(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 6)
    provider.settings.latency = 30.0
    jobs: list[Job] = []

    def stop(number: int, _: dict[str, Any]) -> None:
        if number == 2:
            jobs[0].stop(Interrupted(15), 0.2)

    provider.settings.fault = stop
    began = time.monotonic()
    first = run_job(opened=jobs.append, concurrency=2)
    assert time.monotonic() - began < 25
    assert (first.code, first.documents) == (143, {})
    provider.settings.latency, provider.settings.fault = 0.0, None
    assert run_job().code == 0


def test_going_back_to_an_earlier_prompt_pays_nothing(
    folder: Path, provider: Simulator, run_job: RunJob, tmp_path: Path
) -> None:
    fill(folder, 5)
    first = run_job().documents
    run_job(prompt=put(tmp_path, "prompt.txt", "Other: {text}"))
    asked = provider.counts.requests
    back = run_job()
    assert provider.counts.requests == asked == 10
    assert {name: row["output"] for name, row in back.documents.items()} == {
        name: row["output"] for name, row in first.items()
    }
    assert {row["reused"] for row in back.rows("calls")} == {True}
    assert back.record.totals.prompt_tokens == 0


def test_many_shards_at_once_write_parts_of_their_own_and_changed_documents_stay_in_theirs(
    folder: Path, provider: Simulator, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard, "CALLS_A_SHARD", 5)
    monkeypatch.setattr(shard, "FLUSH_SECONDS", 0.0)  # a part is written anew at every document
    fill(folder, 42)
    ran = run_job(threads=4)
    assert len(ran.documents) == len(ran.rows("calls")) == provider.counts.requests == 42
    assert len(list((ran.output / "documents").glob("*.parquet"))) == 10
    for number in range(0, 42, 4):
        put(folder, f"{number:03d}.txt", prose(500, f"changed {number}"))
    again = run_job(threads=4)
    assert len(again.documents) == len(again.rows("calls")) == 42
    assert provider.counts.requests == 53


@pytest.mark.parametrize("ahead", [False, True])
def test_rows_of_a_table_that_are_done_reach_no_shard_and_a_changed_one_does(
    tmp_path: Path, provider: Simulator, run_job: RunJob, *, ahead: bool
) -> None:
    path, names = tmp_path / "rows.parquet", [f"row {number}" for number in range(60)]
    texts = [prose(300, number) for number in range(60)]
    words: dict[str, Any] = {"sources": [path], "text_column": "text", "id_column": "id"}
    pq.write_table(pa.table({"id": names, "text": texts}), path)
    stopped: list[Job] = []
    provider.settings.fault = lambda number, _: stopped[0].stop(Interrupted(2)) if number == 30 else None
    first = run_job(**words, concurrency=1, opened=stopped.append)
    provider.settings.fault = None
    assert first.code == 130
    done = first.record.totals.done

    jobs: list[Job] = []

    def opened(job: Job) -> None:
        jobs.append(job)
        if ahead:
            job.look_ahead()

    ran = run_job(**words, opened=opened)
    assert (ran.code, ran.record.totals.documents, ran.record.totals.done) == (0, 60, 60)
    assert provider.counts.answers == 60
    assert (jobs[0].meter.resumed, jobs[0].scheduler.listed) == (done, 60 - done)

    texts[7] += " And more, é."
    pq.write_table(pa.table({"id": names, "text": texts}), path)
    later = run_job(**words, opened=opened)
    assert (later.record.totals.unchanged, later.record.totals.done, jobs[1].scheduler.listed) == (59, 1, 1)
    assert (later.record.totals.documents, provider.counts.answers) == (60, 61)
