"""job.json is whole at every instant."""

import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.base.errors import StorageFailed
from tasks.results.job_file import JobRecord, Status, Totals, write_job_file
from tasks.results.location import folder_at

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEYS = {"job_id", "flow", "version", "spec", "status", "reason", "totals", "started_at", "finished_at"}
TOTALS = {
    "documents", "done", "partial", "failed", "unchanged", "calls", "reused_calls", "prompt_tokens",
    "completion_tokens", "cost_usd", "seconds",
}  # fmt: skip


def job_record(status: Status = "running", words: str = "x") -> JobRecord:
    return JobRecord(
        "summarize-1", "summarize", "0.1.0", {"inputs": [words]}, status, None, NOW, None, Totals(documents=3)
    )


def read(output: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((output / "job.json").read_text(encoding="utf-8"))
    return found


def test_it_holds_what_the_contract_says(tmp_path: Path) -> None:
    write_job_file(folder_at(str(tmp_path)), job_record("done", "日本"))
    got = read(tmp_path)
    assert set(got) == KEYS
    assert isinstance(got["totals"], dict)
    assert set(got["totals"]) == TOTALS
    assert got["spec"] == {"inputs": ["日本"]}
    assert datetime.fromisoformat(str(got["started_at"])) == NOW
    assert got["finished_at"] is None


def test_a_reader_finds_it_whole_while_it_is_written_anew(tmp_path: Path) -> None:
    write_job_file(folder_at(str(tmp_path)), job_record())
    ended, looks = threading.Event(), list[int]()
    wrong: list[str] = []

    def poll() -> None:
        while not ended.is_set():
            try:
                looks.append(len(read(tmp_path)))
            except (ValueError, OSError) as error:
                wrong.append(str(error))

    reader = threading.Thread(target=poll)
    reader.start()
    for number in range(100):
        write_job_file(folder_at(str(tmp_path)), job_record(words="long " * 1000 * (number % 3)))
    ended.set()
    reader.join()
    assert wrong == []
    assert len(looks) > 5


def test_a_full_disk_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_job_file(folder_at(str(tmp_path)), job_record("running"))

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", refuse)
        with pytest.raises(StorageFailed, match=r"job\.json can't be written: No space left"):
            write_job_file(folder_at(str(tmp_path)), job_record("done"))
    assert read(tmp_path)["status"] == "running"
    assert [path.name for path in tmp_path.iterdir()] == ["job.json"]
