"""A job whose results go to a bucket keeps the laws of one that writes to a folder."""

import io
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from tasks.base.errors import StorageRefused, UserMistake
from tasks.base.settings import Settings
from tasks.calls.progress import Meter
from tasks.jobs import document_shard as shard
from tasks.jobs.job import Job
from tasks.planning.state_location import elsewhere, state_of
from tasks.prompting.options import EmbedOptions, ExtractOptions, Options
from tasks.results import bucket_lock as holder
from tasks.results.bucket_lock import NAME
from tasks.terminal.display import show_summary
from tests.buckets import Store
from tests.conftest import Ran, RunJob, hasten
from tests.jobs.test_resuming import DIES, ROOT, stable
from tests.jobs.texts import fill, prose, put
from tests.simulator import Simulator

TABLES = ("documents", "calls", "failures", "sections")


def same(one: Ran, other: Ran) -> None:
    for table in TABLES:
        assert stable(one.rows(table)) == stable(other.rows(table)), table


def names(store: Store, s3: str) -> set[str]:
    return set(store.objects(s3))


def test_a_job_leaves_in_a_bucket_what_it_leaves_in_a_folder_and_its_ledger_here(
    folder: Path, provider: Simulator, run_job: RunJob, s3: str, store: Store, tmp_path: Path
) -> None:
    fill(folder, 12)
    put(folder, "long.md", "# Title\n\n" + prose(60_000, "long"))
    put(folder, "empty.txt", "")
    there = run_job(output=f"{s3}/a/b")
    here = run_job()
    assert (there.code, there.record.totals.done) == (3, 13)
    same(there, here)
    found = store.objects(s3)
    parts = {path.relative_to(here.output).as_posix() for path in here.output.rglob("*.parquet")}
    assert set(found) == {f"a/b/{name}" for name in (*parts, "job.json", ".docmill/results")}
    for name, data in found.items():
        assert not name.endswith(".parquet") or pq.read_table(io.BytesIO(data)).num_rows >= 0
    assert json.loads(found["a/b/job.json"])["status"] == "done"
    (state,) = (tmp_path / "states" / "docmill").iterdir()
    assert (state / "ledger.sqlite").is_file()
    options = [Options(output=f"{s3}/a/b"), Options(output=here.output)]
    assert [elsewhere(one, state_of(one, Settings.read())) for one in options] == [str(state), None]


def test_a_later_job_pays_for_what_is_new_alone_and_replaces_what_changed(
    folder: Path, provider: Simulator, run_job: RunJob, s3: str
) -> None:
    fill(folder, 6)
    run_job(output=s3)
    put(folder, "003.txt", prose(700, "changed"))
    put(folder, "new.txt", prose(700, "new"))
    ran = run_job(output=s3)
    assert (ran.record.totals.unchanged, ran.record.totals.done) == (5, 2)
    assert provider.counts.requests == 8
    assert len(ran.documents) == 7
    assert ran.documents["003.txt"]["characters"] == 700


@pytest.mark.parametrize("dies_at", ["/calls/part-0", "/documents/part-0"])
def test_a_job_killed_with_9_in_a_write_ends_with_the_rows_of_an_undisturbed_one(
    folder: Path, provider: Simulator, run_job: RunJob, s3: str, store: Store, dies_at: str
) -> None:
    fill(folder, 20)
    undisturbed = run_job(concurrency=4)
    asked = provider.counts.requests
    out = f"{s3}/out"
    script = DIES.replace("Path(sys.argv[2])", "sys.argv[2]")
    with subprocess.Popen([sys.executable, "-c", script, str(folder), out], cwd=ROOT) as process:
        store.refuse = dying(process, dies_at)
        assert process.wait(60) == -9
    store.refuse = lambda _, __: None
    assert f"out/{NAME}" in names(store, s3)  # nobody freed it
    ran = run_job(output=out, concurrency=4)
    assert ran.code == 0
    assert provider.counts.requests == 2 * asked
    same(ran, undisturbed)
    assert f"out/{NAME}" not in names(store, s3)


def dying(process: "subprocess.Popen[bytes]", at: str) -> Callable[[str, str], tuple[int, str] | None]:
    """Kill a process when its write of a part with rows arrives, which may be done or not."""

    def refuse(method: str, path: str) -> tuple[int, str] | None:
        if method == "PUT" and at in path and not path.endswith("000000.parquet"):
            process.kill()
        return None

    return refuse


REFUSALS = [(507, "InsufficientStorage"), (403, "AccessDenied"), (503, "ServiceUnavailable")]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("table", ["calls", "documents"])
def test_a_bucket_that_refuses_a_part_pauses_the_job_and_nothing_is_paid_twice(
    folder: Path, provider: Simulator, run_job: RunJob, s3: str, store: Store, refusal: tuple[int, str], table: str
) -> None:
    fill(folder, 5)

    def opened(job: Job) -> None:
        hasten(job)
        store.refuse = lambda method, path: refusal if method == "PUT" and f"/{table}/" in path else None

    paused = run_job(opened=opened, output=s3)
    assert (paused.code, paused.record.status) == (4, "paused")
    assert f"{s3}/{table}/part-000001.parquet can't be written" in str(paused.record.reason)
    assert paused.documents == {}
    asked = provider.counts.requests
    store.refuse = lambda _, __: None
    ran = run_job(output=s3)
    assert (ran.code, len(ran.documents), provider.counts.requests) == (0, 5, asked)


def test_a_connection_that_is_lost_pauses_the_job_and_what_was_written_stays(
    folder: Path, provider: Simulator, run_job: RunJob, s3: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard, "CALLS_A_SHARD", 3)
    fill(folder, 9)
    written: list[str] = []

    def refuse(method: str, path: str) -> tuple[int, str] | None:
        if method == "PUT" and "/documents/" in path and not path.endswith("000000.parquet"):
            written.append(path)
        return (503, "ServiceUnavailable") if len(written) > 1 else None

    store.refuse = refuse
    paused = run_job(output=s3)
    store.refuse = lambda _, __: None
    assert paused.code == 4
    assert len(paused.documents) == 3
    ran = run_job(output=s3)
    assert (ran.code, len(ran.documents), provider.counts.requests) == (0, 9, 9)


def test_a_part_that_was_removed_or_damaged_is_written_again(
    folder: Path, provider: Simulator, run_job: RunJob, s3: str, store: Store
) -> None:
    fill(folder, 5)
    before = run_job(output=s3)
    answers = {name: row["output"] for name, row in before.documents.items()}
    for junk in (None, b"", b"PAR1 junk"):
        where = {"Bucket": s3[5:], "Key": "calls/part-000001.parquet"}
        store.client.delete_object(**where) if junk is None else store.client.put_object(**where, Body=junk)
        after = run_job(output=s3)
        assert len(after.rows("calls")) == 5
        assert {name: row["output"] for name, row in after.documents.items()} == answers
    assert provider.counts.requests == 5


def test_a_machine_without_the_ledger_goes_on_with_one_row_a_document(
    folder: Path, provider: Simulator, run_job: RunJob, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder, 5)
    run_job(output=s3)
    monkeypatch.setenv("DOCMILL_STATE", str(tmp_path / "of-another-machine"))
    put(folder, "new.txt", prose(500, "new"))
    ran = run_job(output=s3)
    assert (ran.code, len(ran.documents), len(ran.rows("calls"))) == (0, 6, 6)


def test_a_second_run_here_is_told_who_holds_it(folder: Path, provider: Simulator, run_job: RunJob, s3: str) -> None:
    fill(folder, 2)
    told: list[str] = []

    def second(job: Job) -> None:
        hasten(job)
        with pytest.raises(UserMistake, match=rf"^{s3} is in use by process \d+ on ") as got:
            run_job(output=s3)
        told.append(str(got.value))

    assert run_job(opened=second, output=s3).code == 0
    assert len(told) == 1


@pytest.mark.parametrize("where", ["local", "s3"])
def test_a_second_run_with_a_state_of_its_own_is_told_too(
    folder: Path, provider: Simulator, run_job: RunJob, s3: str, tmp_path: Path, where: str
) -> None:
    fill(folder, 2)
    output = s3 if where == "s3" else str(tmp_path / "out")
    told: list[str] = []

    def second(job: Job) -> None:
        hasten(job)
        with pytest.raises(UserMistake, match=f"{output} is in use by process") as got:
            run_job(output=output, state=str(tmp_path / "second"))
        told.append(str(got.value))

    assert run_job(opened=second, output=output, state=str(tmp_path / "first")).code == 0
    assert len(told) == 1


def test_a_run_on_another_machine_is_told_and_one_that_died_there_is_taken_over(
    folder: Path, provider: Simulator, run_job: RunJob, s3: str, store: Store
) -> None:
    fill(folder, 2)
    now = datetime.now(UTC)
    for age, code in ((80, None), (91, 0)):
        who: dict[str, Any] = {"pid": 1, "host": "another-" + socket.gethostname(), "since": "noon", "token": "x"}
        who["beat"] = (now - timedelta(seconds=age)).isoformat()
        store.client.put_object(Bucket=s3[5:], Key=NAME, Body=json.dumps(who).encode())
        if code is None:
            with pytest.raises(UserMistake, match=f"{s3} is in use by process 1 on another-.* since noon: wait"):
                run_job(output=s3)
        else:
            assert run_job(output=s3).code == code


def test_a_job_that_was_taken_over_stops(
    folder: Path, provider: Simulator, run_job: RunJob, s3: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holder, "BEAT_SECONDS", 0.05)
    fill(folder, 40)
    provider.settings.latency = 0.3

    def take(method: str, path: str) -> None:
        if method == "GET" and path.endswith(NAME):  # just before it looks who holds it
            store.client.put_object(Bucket=s3[5:], Key=NAME, Body=b'{"token": "of another", "pid": 7}')

    def opened(job: Job) -> None:
        hasten(job)
        store.refuse = take

    ran = run_job(opened=opened, output=s3, concurrency=2)
    assert ran.code == 4
    assert f"{s3} was taken over by another process" in str(ran.record.reason)
    assert store.objects(s3)[NAME] == b'{"token": "of another", "pid": 7}'


def test_a_bucket_that_is_not_there_is_said_before_anything_is_paid(
    folder: Path, provider: Simulator, run_job: RunJob, s3: str
) -> None:
    fill(folder, 1)
    with pytest.raises(StorageRefused, match="there is no such bucket"):
        run_job(output=f"{s3}-not/out")
    assert provider.counts.requests == 0


def test_an_output_is_kept_as_it_was_named_and_may_be_a_path_or_a_file_url(
    folder: Path, provider: Simulator, run_job: RunJob, tmp_path: Path
) -> None:
    assert Options(output="s3://bucket/a//b").output == "s3://bucket/a//b"
    assert Options(output=tmp_path / "x").output == str(tmp_path / "x")
    assert [kind().output for kind in (Options, ExtractOptions, EmbedOptions)] == [
        "output/summarize", "output/extract", "output/embed",
    ]  # fmt: skip
    fill(folder, 2)
    ran = run_job(output=(tmp_path / "with space").as_uri())
    assert (ran.code, ran.output) == (0, tmp_path / "with space")
    assert (tmp_path / "with space" / ".docmill" / "ledger.sqlite").is_file()


def test_a_key_in_the_output_is_refused_whoever_makes_the_options() -> None:
    with pytest.raises(UserMistake, match="set it in the environment") as got:
        Options(output="s3://key:hush@bucket/out")
    assert "hush" not in str(got.value)


def test_the_line_that_the_summary_ends_with_shows_what_is_in_the_bucket(
    folder: Path, provider: Simulator, run_job: RunJob, s3: str
) -> None:
    fill(folder, 2)
    ran, said = run_job(output=s3), io.StringIO()
    show_summary(ran.record, Meter(), s3, Console(file=said), "/where/the/ledger/is")
    assert "ledger in   /where/the/ledger/is" in said.getvalue()
    line = said.getvalue().rpartition("next        python ")[2].strip()
    done = subprocess.run(
        f"{sys.executable} {line}", shell=True, capture_output=True, text=True, check=True, timeout=60
    )
    assert all(name in done.stdout for name in ("000.txt", "001.txt", "A short answer"))


def test_no_key_of_the_bucket_reaches_a_file(
    folder: Path, provider: Simulator, run_job: RunJob, s3: str, store: Store, tmp_path: Path
) -> None:
    fill(folder, 2)
    run_job(output=s3)
    files = [path.read_bytes() for path in (tmp_path / "states").rglob("*") if path.is_file()]
    everything = b"".join([*store.objects(s3).values(), *files])
    assert b"of-the-tests" in b"".join(value.encode() for value in store.environment.values())
    assert b"-of-the-tests" not in everything.replace(b"secret-key-of-the-tests", b"")
