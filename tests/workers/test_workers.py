"""Worker processes do a job as one process does: the same tables, nothing paid twice, whoever is killed."""

import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.base.errors import BudgetReached
from tasks.embeddings import embed_shard
from tasks.jobs import document_shard as shard
from tasks.prompting.options import EmbedOptions, Options
from tests.conftest import Ran, RunJob
from tests.jobs.texts import fill, prose
from tests.simulator import Simulator
from tests.workers.crew import Kill, crew_job

LEFT_OUT = {"created_at", "finished_at", "failed_at", "latency_ms", "attempts", "job_id"}


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard of few documents, so that a few files make several."""
    monkeypatch.setattr(shard, "CALLS_A_SHARD", 10)
    monkeypatch.setattr(embed_shard, "TEXTS_A_SHARD", 20)


def options(tmp_path: Path, **words: Any) -> Options:
    return Options(
        output=str(tmp_path / "crew"), provider="openai-compatible", model="sim-model", runner="processes", **words
    )


def tables(ran: Ran, *names: str) -> list[list[dict[str, Any]]]:
    found = []
    for name in names or ("documents", "calls", "failures"):
        rows = [{key: value for key, value in row.items() if key not in LEFT_OUT} for row in ran.rows(name)]
        found.append(sorted(rows, key=lambda row: (str(row["document_id"]), row.get("position") or 0)))
    return found


def test_two_workers_leave_what_one_process_leaves(
    tmp_path: Path, folder: Path, provider: Simulator, run_job: RunJob, small_shards: None
) -> None:
    fill(folder, 45)
    provider.settings.latency = 0.1
    alone = run_job()
    answers = provider.counts.answers
    ran, _ = crew_job(folder, options(tmp_path))
    assert (ran.code, ran.record.totals.done) == (0, 45)
    assert tables(ran) == tables(alone)
    assert provider.counts.answers == 2 * answers
    again, _ = crew_job(folder, options(tmp_path))
    assert (again.record.totals.unchanged, provider.counts.answers) == (45, 2 * answers)


def test_a_killed_workers_shards_are_taken_over_and_only_what_was_in_flight_is_asked_again(
    tmp_path: Path, folder: Path, provider: Simulator, run_job: RunJob, small_shards: None
) -> None:
    fill(folder, 60)
    provider.settings.latency = 0.2
    kill = Kill(lambda: provider.counts.answers, 15)
    ran, leading = crew_job(folder, options(tmp_path, concurrency=8), meanwhile=kill)
    assert (ran.code, ran.record.totals.done) == (0, 60)
    assert kill.killed
    assert 60 <= provider.counts.requests <= 60 + 8
    assert any("was lost" in words for words in leading.job.meter.troubles)
    assert tables(ran) == tables(run_job())


def test_workers_together_keep_to_a_budget(
    tmp_path: Path, folder: Path, provider: Simulator, small_shards: None
) -> None:
    fill(folder, 60)
    provider.settings.latency = 0.05
    ran, leading = crew_job(folder, options(tmp_path, budget=0.05, price="10/10"))
    assert isinstance(leading.job.stopped(), BudgetReached)
    assert (ran.code, ran.record.status) == (4, "paused")
    with sqlite3.connect(tmp_path / "crew/.docmill/ledger.sqlite") as ledger:
        (spent,) = ledger.execute("SELECT sum(cost_usd) FROM answers").fetchone()
    assert 0.025 < spent <= 0.05


def test_workers_together_keep_to_the_calls_in_flight(
    tmp_path: Path, folder: Path, provider: Simulator, small_shards: None
) -> None:
    fill(folder, 40)
    provider.settings.latency = 0.1
    ran, _ = crew_job(folder, options(tmp_path, concurrency=3))
    assert ran.record.totals.done == 40
    assert provider.counts.most_in_flight <= 3


def test_workers_together_keep_to_a_rate(tmp_path: Path, folder: Path, provider: Simulator, small_shards: None) -> None:
    fill(folder, 40)
    ran, _ = crew_job(folder, options(tmp_path, rpm=600))
    assert ran.record.totals.done == 40
    times = sorted(provider.counts.times)
    # Ten a second are leased evenly, up to a second ahead; each for itself, all would be sent at once.
    assert times[-1] - times[0] >= 40 / 10 - 1.5


@pytest.mark.parametrize("kills", [0, 1])
def test_equal_texts_of_several_workers_are_embedded_once(
    kills: int, tmp_path: Path, provider: Simulator, run_job: RunJob, small_shards: None
) -> None:
    texts = [prose(200, number % 35) for number in range(120)]
    table = tmp_path / "texts.parquet"
    pq.write_table(pa.table({"id": [f"{number:03d}" for number in range(120)], "text": texts}), table)
    words = {"text_column": "text", "id_column": "id", "inputs_per_request": 4}
    alone = run_job(flow="embed", kind=EmbedOptions, sources=(table,), **words)
    before = provider.counts.answers
    provider.settings.latency = 0.1
    chosen = EmbedOptions(
        output=str(tmp_path / "crew"), provider="openai-compatible", model="sim-model", runner="processes",
        concurrency=2, **words,
    )  # fmt: skip
    kill = Kill(lambda: provider.counts.answers, before + 2 if kills else 10**6)
    ran, _ = crew_job(table, chosen, flow="embed", meanwhile=kill)
    assert (ran.code, ran.record.totals.done, bool(kill.killed)) == (0, 120, bool(kills))
    assert 2 * before <= provider.counts.requests <= 2 * before + 2 * kills
    assert tables(ran, "chunks") == tables(alone, "chunks")
    if not kills:
        assert tables(ran, "documents") == tables(alone, "documents")


def test_a_text_that_one_worker_gives_up_is_given_up_by_the_others_too_and_no_document_is_lost(
    tmp_path: Path, provider: Simulator, small_shards: None
) -> None:
    texts = [prose(200, number) for number in range(80)]
    texts[2] = texts[41] = texts[79] = "POISON here"
    table = tmp_path / "texts.parquet"
    pq.write_table(pa.table({"id": [f"{number:02d}" for number in range(80)], "text": texts}), table)
    provider.settings.poison = {"POISON": "http_500"}
    provider.settings.latency = 0.1
    chosen = EmbedOptions(
        output=str(tmp_path / "crew"), provider="openai-compatible", model="sim-model", runner="processes",
        text_column="text", id_column="id", inputs_per_request=4, concurrency=4,
    )  # fmt: skip
    ran, _ = crew_job(table, chosen, flow="embed")
    assert (ran.code, ran.record.totals.done, ran.record.totals.failed) == (3, 77, 3)
    assert {row["document_id"] for row in ran.rows("failures")} == {"02", "41", "79"}
