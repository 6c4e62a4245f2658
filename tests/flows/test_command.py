"""The command line as a person uses it: whole processes, real exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from flows.summarize import summarize
from tasks.command import main
from tests.flows.tables import query
from tests.simulator import Settings, Simulator, serving

ROOT = Path(__file__).parents[2]
SECONDS = 120


def environment(provider: Simulator | None = None, prefect: str | None = None, **more: str) -> dict[str, str]:
    """Return what a command finds set; without the address of a Prefect server it starts one of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_BASE_URL"))}
    kept.pop("PREFECT_API_URL", None)
    named = {"OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": provider.settings.key or "x"} if provider else {}
    return kept | named | ({"PREFECT_API_URL": prefect} if prefect else {}) | more


def assert_mistake(code: int, errors: str, named: str) -> None:
    """One line in all that was said is ours, and it names the thing."""
    said = [line for line in errors.splitlines() if line.startswith("docmill: ")]
    assert code == 2
    assert len(said) == 1
    assert named in said[0]
    assert "Traceback" not in errors


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "flows.summarize", *words]


def run(words: Sequence[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return ended(command(*words), env)


def ended(words: Sequence[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; return what it said."""
    return subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)


SIMULATED = ("--provider", "openai-compatible", "--model", "sim-model")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["data/samples", "--modle", "x"], "--modle"),
        (["data/samples", "--rpm", "0"], "--rpm"),
        (["data/samples", "--provider", "apipie", "--model", "mistral-nemo"], "APIPIE_API_KEY"),
        (["data/samples", "--provider", "apipie"], "mistral-nemo"),
        (["data/samples", "--provider", "nobody"], "nobody"),
        (["data/samples", "--provider", "openai-compatible", "--model", "nope"], "sim-model"),
        (["data/samples", *SIMULATED, "--workers", "2"], "--workers 2 needs --runner processes"),
        (["data/samples", *SIMULATED, "--runner-address", "h:1"], "--runner-address h:1 needs --runner dask"),
        (["data/samples", *SIMULATED, "--runner", "dask", "--runner-address", "tcp://10.9.8.7:8786"], "--state"),
        (["data/samples", *SIMULATED, "--output", "LICENSE/x"], "LICENSE/x"),
        (["data/samples", *SIMULATED, "--output", "s3://key:hush@bucket/x"], "set it in the environment"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_thing(
    words: list[str],
    named: str,
    provider: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(ROOT)
    code = main("summarize", "", summarize, words=words)
    assert_mistake(code, capsys.readouterr().err, named)


def test_a_mistake_ends_a_whole_process_so_too(provider: Simulator) -> None:
    done = run(["nowhere", *SIMULATED], environment(provider))
    assert_mistake(done.returncode, done.stderr, "nowhere")


def test_a_plan_calls_nobody(provider: Simulator) -> None:
    done = run(["data/samples", *SIMULATED, "--plan", "--json"], environment(provider))
    plan = json.loads(done.stdout)
    assert done.returncode == 0
    assert plan["documents"] == 6
    assert provider.counts.requests == 0


def test_a_refused_key_pauses_the_job(provider: Simulator, prefect: str, tmp_path: Path) -> None:
    words = ["data/samples", *SIMULATED, "--output", str(tmp_path / "out"), "--json"]
    done = run(words, environment(provider, prefect, OPENAI_API_KEY="wrong"))
    assert done.returncode == 4
    assert json.loads(done.stdout)["status"] == "paused"
    assert provider.counts.answers == 0


def test_documents_that_are_no_text_are_failures_and_the_others_are_done(
    provider: Simulator, prefect: str, tmp_path: Path
) -> None:
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / "good.txt").write_text("A good document about a river.")
    (folder / "binary.bin").write_bytes(bytes(range(256)) * 8)
    (folder / "empty.txt").touch()
    (folder / "dangling.txt").symlink_to(tmp_path / "gone")
    words = [str(folder), *SIMULATED, "--output", str(tmp_path / "out"), "--json"]
    done = run(words, environment(provider, prefect))
    kinds = query(f"select document_id, error_kind from '{tmp_path}/out/failures/*.parquet' order by all")
    totals = json.loads(done.stdout)["totals"]
    assert done.returncode == 3
    assert (totals["documents"], totals["done"], totals["failed"]) == (4, 1, 3)
    assert kinds == [("binary.bin", "not_text"), ("dangling.txt", "unreadable"), ("empty.txt", "empty")]
    assert "binary.bin" in done.stderr


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(120):
        (folder / f"{number:03d}.txt").write_text(f"Report {number}: the bridge was mended in spring. " * 30)
    (folder / "long.txt").write_text("Chapter. The valley changed, and so did its people.\n\n" * 3000)
    return folder


def wait_for(provider: Simulator, answers: int) -> None:
    deadline = time.monotonic() + SECONDS
    while provider.counts.answers < answers and time.monotonic() < deadline:
        time.sleep(0.02)
    assert provider.counts.answers >= answers


def table(output: Path, name: str, without: str) -> list[tuple[object, ...]]:
    return query(f"select * exclude ({without}) from '{output}/{name}/*.parquet' order by all")


def test_killed_halfway_and_started_again_only_calls_in_flight_are_repeated(
    corpus: Path, prefect: str, tmp_path: Path
) -> None:
    with serving(Settings(context=8192, latency=0.2)) as provider:
        words = [str(corpus), *SIMULATED, "--concurrency", "16", "--json", "--output"]
        calm, killed = tmp_path / "calm", tmp_path / "killed"
        assert run([*words, str(calm)], environment(provider, prefect)).returncode == 0
        undisturbed = provider.counts.answers

        process = subprocess.Popen(
            command(*words, str(killed)),
            cwd=ROOT, env=environment(provider), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for(provider, undisturbed + undisturbed // 2)
        process.kill()
        process.wait()
        time.sleep(0.5)
        done = run([*words, str(killed)], environment(provider, prefect))
        repeated = provider.counts.answers - 2 * undisturbed

    assert done.returncode == 0
    assert 0 <= repeated <= 16
    for name, times in (
        ("documents", "finished_at, job_id"),
        ("calls", "created_at, latency_ms, attempts"),
        ("failures", "failed_at"),
    ):
        assert table(killed, name, times) == table(calm, name, times)


def test_a_signal_ends_a_run_whose_provider_never_answers(corpus: Path, tmp_path: Path) -> None:
    with serving(Settings(context=8192, latency=300)) as provider:
        process = subprocess.Popen(
            command(str(corpus), *SIMULATED, "--output", str(tmp_path / "out")),
            cwd=ROOT, env=environment(provider), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + SECONDS
        while not provider.counts.requests and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143  # ten seconds, and as many for a busy machine


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_drains_what_is_in_flight_and_the_same_command_goes_on(
    number: signal.Signals, code: int, corpus: Path, prefect: str, tmp_path: Path
) -> None:
    with serving(Settings(context=8192, latency=0.2)) as provider:
        words = [str(corpus), *SIMULATED, "--output", str(tmp_path / "out"), "--json"]
        process = subprocess.Popen(
            command(*words),
            cwd=ROOT,
            env=environment(provider),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for(provider, 40)
        process.send_signal(number)
        out, err = process.communicate(timeout=SECONDS)
        again = run(words, environment(provider, prefect))
        repeated = [digest for digest, times in provider.counts.answered.items() if times > 1]

    assert process.returncode == code
    assert json.loads(out)["status"] == "paused"
    assert "the same command goes on" in err
    assert again.returncode == 0
    assert repeated == []
