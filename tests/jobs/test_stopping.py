"""A job that is stopped ends, whatever its shards are about to do."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.base.errors import Interrupted
from tasks.chunking.boundaries import SLICE
from tasks.documents.document import Content, Document
from tasks.jobs import document_shard as shard
from tasks.jobs.job import Job
from tasks.planning import sample as sums
from tasks.planning.parallel import Ended, in_order
from tasks.planning.plan import make_plan
from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tests.conftest import RunJob
from tests.jobs.texts import fill, put
from tests.simulator import Simulator, error


@pytest.mark.timeout(60)
@pytest.mark.parametrize("threads", [1, 4])
def test_shards_that_begin_after_the_stop_leave_at_once(
    folder: Path, provider: Simulator, run_job: RunJob, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr(shard, "CALLS_A_SHARD", 20)
    provider.settings.fault = lambda number, _: error(401, "no such key") if number > 30 else None
    fill(folder, 300)
    ran = run_job(concurrency=4, threads=threads)
    assert ran.code == 4
    assert len(ran.rows("documents")) <= 40


@dataclass
class Heard:
    """A tokenizer of one token a character that tells when it begins, and counts its slices."""

    began: Callable[[], object]
    exact: bool = True
    slices: list[int] = field(default_factory=list)

    def count(self, text: str) -> int:
        return len(text)

    def bound(self, text: str) -> int:
        return len(text)

    def sizes(self, text: str) -> NDArray[np.int64]:
        self.slices.append(len(text))
        if len(self.slices) == 4:
            self.began()
        return np.ones(len(text), dtype=np.int64)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("strategy", ["map-reduce", "refine"])
@pytest.mark.parametrize("unit", ["a", "word ", "{}"])
def test_a_text_that_is_cut_is_left_in_the_middle(
    folder: Path, provider: Simulator, run_job: RunJob, unit: str, strategy: str
) -> None:
    put(folder, "a.txt", unit * (80 * SLICE // len(unit)))
    heard: list[Heard] = []

    def opened(job: Job) -> None:
        heard.append(Heard(lambda: job.stop(Interrupted(15))))
        (answerer,) = job.answerers
        job.answerers[0] = replace(answerer, cutter=replace(answerer.cutter, tokenizer=heard[0]))

    ran = run_job(opened, strategy=strategy)
    assert (ran.code, ran.record.status) == (143, "paused")
    assert 4 <= len(heard[0].slices) < 40
    assert provider.counts.requests == 0


@pytest.mark.timeout(60)
def test_rows_that_need_nothing_are_listed_no_longer(tmp_path: Path, provider: Simulator, run_job: RunJob) -> None:
    path = put(tmp_path, "t.csv", "id,text\n" + "".join(f"{number},The river rose.\n" for number in range(40)))
    words = {"sources": (path,), "text_column": "text", "id_column": "id"}
    assert run_job(**words).record.totals.done == 40
    again = run_job(opened=lambda job: job.stop(Interrupted(2)), **words)
    assert (again.code, again.record.totals.unchanged) == (130, 0)
    assert run_job(**words).record.totals.unchanged == 40


@pytest.mark.timeout(60)
def test_work_ahead_that_nobody_awaits_any_more_is_told_so() -> None:
    told = threading.Semaphore(0)

    def work(number: int, ended: Ended) -> int:
        while number and not ended():
            time.sleep(0.01)
        told.release()
        return number

    results = in_order(work, range(50))
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    assert told.acquire(timeout=30)


@pytest.mark.timeout(60)
def test_an_interrupted_plan_waits_for_no_reader(
    folder: Path, provider: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def extract(document: Document, stopped: Callable[[], bool]) -> Content:
        if document.document_id.endswith("000.txt"):
            raise KeyboardInterrupt
        while not stopped():
            time.sleep(0.01)
        return Content("a text")

    fill(folder, 200, 10_000)
    monkeypatch.setattr(sums, "extract", extract)
    options: dict[str, Any] = {"output": tmp_path / "out", "provider": "openai-compatible", "model": "sim-model"}
    with pytest.raises(KeyboardInterrupt):
        make_plan(prepare("summarize", [str(folder)], Options(**options)))
