"""A job's log: whatever stands in the tables can be followed there by its call_id, and nobody's words are in it."""

import io
import json
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tasks.base.errors import JobPaused, UserMistake
from tasks.events.event import LEVELS, Event
from tasks.events.log import Lines
from tasks.prompting.options import EmbedOptions, ExtractOptions
from tests.conftest import KEY, FastTime, Ran, RunJob
from tests.jobs.invoices import SCHEMA, schema_file
from tests.jobs.texts import WORDS, fill, prose, put
from tests.quota import Allowance, Quota
from tests.simulator import Simulator, error

Line = dict[str, Any]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "job.jsonl"


@pytest.fixture
def logged(run_job: RunJob, log: Path) -> Callable[..., Ran]:
    """Run a job with a log."""

    def run(**words: Any) -> Ran:
        return run_job(log=str(log), **words)

    return run


def lines(log: Path) -> list[Line]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def named(log: Path, name: str) -> list[Line]:
    return [line for line in lines(log) if line["event"] == name]


def by_call(log: Path) -> dict[str, dict[str, list[Line]]]:
    """Return the lines of each call, by their events."""
    found: dict[str, dict[str, list[Line]]] = defaultdict(lambda: defaultdict(list))
    for line in lines(log):
        if "call_id" in line:
            found[line["call_id"]][line["event"]].append(line)
    return found


def test_every_row_of_calls_and_failures_is_followed_by_its_call_id(
    folder: Path, provider: Simulator, log: Path, logged: RunJob
) -> None:
    fill(folder, 60)
    put(folder, "poison.txt", "never answered " + prose(300))
    provider.settings.poison = {"never answered": "500"}
    provider.settings.fault = lambda number, _: error(429, "slow down") if number in (5, 9, 17) else None
    ran = logged(concurrency=4, price="1/2")
    found = by_call(log)
    assert (ran.code, len(ran.rows("calls")), len(ran.rows("failures"))) == (3, 60, 1)
    for row in ran.rows("calls"):
        events = found[row["call_id"]]
        (answered,) = events["call answered"]
        kept = ("document_id", "provider", "model", "latency_ms", "prompt_tokens", "completion_tokens", "cost_usd")
        assert {name: answered[name] for name in kept} == {name: row[name] for name in kept}
        assert [line["attempt"] for line in events["call sent"]] == list(range(1, row["attempts"] + 1))
        assert len(events["call refused"]) == len(events["call retried"]) == row["attempts"] - 1
    (row,) = ran.rows("failures")
    events = found[row["call_id"]]
    (given_up,) = events["call given up"]
    same = ("document_id", "error_kind", "http_status", "provider", "model")
    assert {name: given_up[name] for name in same} == {name: row[name] for name in same}
    assert given_up["attempt"] == row["attempts"] == len(events["call sent"])
    assert {line["why"] for line in events["call retried"]} == {"backoff"}
    assert sum(line["error_kind"] == "http_429" for line in named(log, "call refused")) == 3
    assert sum(line["why"] == "limit" for line in named(log, "call retried")) == 3


def test_a_line_has_its_time_level_event_and_job_and_the_job_is_told_from_end_to_end(
    folder: Path, provider: Simulator, log: Path, logged: RunJob
) -> None:
    fill(folder, 30)
    began = datetime.now(UTC)
    ran = logged()
    found = lines(log)
    times = [datetime.fromisoformat(line["time"]) for line in found]
    assert all(line["time"].endswith("Z") for line in found)
    assert began <= min(times)
    assert max(times) <= datetime.now(UTC)
    assert {line["job_id"] for line in found} == {ran.record.job_id}
    assert {line["level"] for line in found} <= {"info", *LEVELS.values()}
    assert [line["event"] for line in found[:3]] == ["job began", "route settled", "shard began"]
    assert found[1]["context"] == 8192
    assert (found[-1]["event"], found[-1]["status"], found[-1]["done"]) == ("job ended", "done", 30)
    assert sum(line["documents"] for line in named(log, "part written")) == 30
    assert {line["status"] for line in named(log, "document ended")} == {"done"}
    assert len(named(log, "document ended")) == 30


def test_no_word_of_a_text_prompt_or_answer_and_no_key_is_in_the_log(
    folder: Path, provider: Simulator, log: Path, logged: RunJob
) -> None:
    fill(folder, 20)
    put(folder, "refused.txt", "unspeakable " + prose(300))
    provider.settings.answer = "inaudible answer"
    # A provider that quotes what it was asked, and with which key.
    provider.settings.fault = lambda _, body: (
        error(400, f"{KEY} asked {body}") if "unspeakable" in str(body) else error(401, str(body)) if _ > 40 else None
    )
    logged()
    provider.settings.key = "another"
    put(folder, "later.txt", prose(500, "later"))
    assert logged().code == 4
    text = log.read_text(encoding="utf-8")
    assert '"route lost"' in text
    assert '"error_kind":"account_refused"' in text
    sentence = " ".join(WORDS[:2])
    for word in (KEY, "unspeakable", "inaudible", sentence, *(word for word in WORDS if len(word) > 5), "Bearer"):
        assert word not in text


def test_answers_that_were_there_are_told_as_reused_and_a_log_is_added_to(
    folder: Path, provider: Simulator, log: Path, logged: RunJob, tmp_path: Path
) -> None:
    fill(folder, 10)
    logged()
    before = log.read_bytes()
    (tmp_path / "out" / "documents").rename(tmp_path / "gone")
    ran = logged(prompt=None)
    assert log.read_bytes().startswith(before)
    assert provider.counts.requests == 10
    reused = [line["call_id"] for line in lines(log) if line["event"] == "call reused"]
    assert sorted(reused) == sorted(row["call_id"] for row in ran.rows("calls"))


def test_waits_say_how_long_and_for_which_limit(folder: Path, provider: Simulator, log: Path, logged: RunJob) -> None:
    fill(folder, 60)
    logged(rpm=1200)
    waited = named(log, "call waited")
    assert waited
    assert {line["why"] for line in waited} == {"requests a minute"}
    assert all(1.0 <= line["wait_seconds"] <= 4.0 for line in waited)
    assert max(line["wait_seconds"] for line in named(log, "call sent")) == max(w["wait_seconds"] for w in waited)


def test_limits_that_are_learned_are_told(folder: Path, provider: Simulator, log: Path, logged: RunJob) -> None:
    fill(folder, 40)
    provider.settings.quota = Quota((Allowance("requests", 1000, 60.0),), spelling="openai")
    logged()
    told = named(log, "limit learned")
    assert [(line["unit"], line["period_seconds"], line["limit"], line["how"]) for line in told] == [
        ("requests", 60.0, 1000.0, "told")
    ]


def test_a_route_that_goes_down_and_comes_back_is_told_in_turn(
    folder: Path, provider: Simulator, log: Path, logged: RunJob
) -> None:
    fill(folder, 60)
    provider.settings.fault = lambda number, _: error(503, "no") if 20 < number < 60 else None
    ran = logged(opened=FastTime().rule, concurrency=16, patience=3600.0)
    assert ran.record.totals.done == 60
    turns = [line["event"] for line in lines(log) if line["event"] in ("route down", "route up")]
    assert turns
    assert turns == ["route down", "route up"] * (len(turns) // 2)


def test_an_answer_that_is_of_no_use_is_told_by_its_call(
    folder: Path, provider: Simulator, log: Path, logged: RunJob, tmp_path: Path
) -> None:
    put(folder, "one.txt", prose(400))
    provider.settings.answer = "no JSON at all"
    ran = logged(flow="extract", kind=ExtractOptions, json_schema=schema_file(tmp_path, SCHEMA))
    (row,) = ran.rows("failures")
    (aside,) = named(log, "answer set aside")
    assert (aside["call_id"], aside["error_kind"]) == (row["call_id"], "invalid_answer")


def test_requests_to_embed_are_told_like_calls(folder: Path, provider: Simulator, log: Path, logged: RunJob) -> None:
    fill(folder, 30)
    ran = logged(flow="embed", kind=EmbedOptions)
    answered = {line["call_id"]: line for line in named(log, "call answered")}
    assert {row["call_id"] for row in ran.rows("calls")} == set(answered)
    assert {line["operation"] for line in answered.values()} == {"embeddings"}
    assert sum(line["prompt_tokens"] for line in answered.values()) == ran.record.totals.prompt_tokens
    assert len(named(log, "document ended")) == 30


def test_a_name_that_is_no_text_is_a_line_as_well() -> None:
    file = io.BytesIO()
    Lines(file, "job").take([Event(0.5, "document ended", {"document_id": "caf\udce9", "cost_usd": 0.5})])
    line = json.loads(file.getvalue())
    assert (line["document_id"], line["time"], line["cost_usd"]) == ("caf\udce9", "1970-01-01T00:00:00.500000Z", 0.5)


def test_the_environment_names_a_log_and_a_minus_is_stderr(
    folder: Path,
    provider: Simulator,
    run_job: RunJob,
    log: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fill(folder, 2)
    monkeypatch.setenv("DOCMILL_LOG", str(log))
    run_job()
    assert named(log, "job ended")
    monkeypatch.setenv("DOCMILL_LOG", "-")
    run_job()
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["event"] == "job ended"


def test_a_log_that_cannot_be_written_is_a_mistake_before_anybody_is_asked(
    folder: Path, provider: Simulator, run_job: RunJob, tmp_path: Path
) -> None:
    fill(folder, 1)
    for place, words in ((tmp_path, "Is a directory"), ("s3://bucket/log", "a log is a file")):
        with pytest.raises(UserMistake, match=words):
            run_job(log=str(place))
    assert provider.counts.requests == 0


def test_a_disk_that_fills_up_ends_the_log_and_not_the_job(
    folder: Path, provider: Simulator, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("only Linux has a full disk at hand")
    fill(folder, 20)
    said: list[str] = []

    def heard(job: Any) -> None:
        deadline = time.monotonic() + 10
        while not job.meter.troubles and time.monotonic() < deadline:
            time.sleep(0.02)
        said.extend(job.meter.troubles)

    ran = run_job(log="/dev/full", finished=heard)
    assert (ran.code, ran.record.totals.done) == (0, 20)
    assert any("No space left on device" in words for words in said)


def test_a_stopped_job_says_of_what_kind_the_reason_is(
    folder: Path, log: Path, logged: RunJob, provider: Simulator
) -> None:
    fill(folder, 5)

    def stop(job: Any) -> None:
        job.stop(JobPaused("words of somebody"))

    logged(opened=stop)
    (ended,) = named(log, "job ended")
    assert (ended["status"], ended["error_kind"], ended["exit_code"]) == ("paused", "stopped", 4)
    assert "somebody" not in log.read_text(encoding="utf-8")
