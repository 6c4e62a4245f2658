"""The deployments on a real Prefect server with a process worker, both started from nothing."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from tasks.providers.local_server import free_port
from tests.flows.tables import query
from tests.jobs.texts import fill
from tests.simulator import Settings, Simulator, serving

ROOT = Path(__file__).parents[2]
SECONDS = 120
BIN = Path(sys.executable).parent
# A run takes as many: with fewer, some that nobody waits for would start beside it.
EVERY = 12

pytestmark = pytest.mark.timeout(300)


@dataclass
class Prefect:
    """A server of this test's own, and what is said to it by Prefect's command line."""

    environment: dict[str, str]

    def __call__(self, *words: str, fails: bool = False) -> str:
        ran = subprocess.run(
            [BIN / "prefect", "--no-prompt", *words],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert (ran.returncode != 0) is fails, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    def run(self, deployment: str, inputs: Path, **options: Any) -> None:
        words = {"provider": "openai-compatible", "model": "sim-model", **options}
        self("deployment", "run", deployment, "-p", f"inputs=[{_json(str(inputs))}]", "-p", f"options={_json(words)}")

    def ask(self, things: str) -> list[dict[str, Any]]:
        """Return all flow runs, or artifacts, as the server itself tells of them."""
        url = f"{self.environment['PREFECT_API_URL']}/{things}/filter"
        asked = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=SECONDS) as reply:
            found: list[dict[str, Any]] = orjson.loads(reply.read())
        return found

    def runs(self) -> list[str]:
        """Return the names of the runs' states."""
        return [run["state_name"] for run in self.ask("flow_runs")]

    def until(self, holds: Callable[[list[str]], object]) -> None:
        end = time.monotonic() + SECONDS
        while not holds(self.runs()):
            assert time.monotonic() < end, [(run["name"], run["state"]) for run in self.ask("flow_runs")]
            time.sleep(0.2)

    @contextlib.contextmanager
    def worker(self) -> Iterator["subprocess.Popen[bytes]"]:
        with _process(self.environment, "worker", "start", "--pool", "documents") as process:
            yield process


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


@contextlib.contextmanager
def _process(environment: dict[str, str], *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    with Path(environment["PREFECT_HOME"], f"{words[0]}.log").open("ab") as log:
        process = subprocess.Popen(
            [BIN / "prefect", *words], cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        _kill(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        _kill(process.pid, signal.SIGKILL)
        process.wait()


def _kill(pid: int, number: signal.Signals) -> None:
    """Signal a process and all that it started."""
    children = [pid]
    for one in children:
        with contextlib.suppress(OSError):
            children += map(int, Path(f"/proc/{one}/task/{one}/children").read_text(encoding="ascii").split())
    for one in reversed(children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, number)


@pytest.fixture
def provider() -> Iterator[Simulator]:
    with serving(Settings(context=8192)) as simulator:
        yield simulator


@pytest.fixture
def prefect(tmp_path: Path, provider: Simulator) -> Iterator[Prefect]:
    port = free_port()
    own = {
        "PREFECT_HOME": str(tmp_path), "PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "PREFECT_WORKER_QUERY_SECONDS": "2", "COLUMNS": "200",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2", "OPENAI_BASE_URL": provider.url,
        "OPENAI_API_KEY": provider.settings.key or "", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | own
    with _process(environment, "server", "start", "--host", "127.0.0.1", "--port", str(port)):
        found = Prefect(environment)
        _wait_for_server(found)
        found("work-pool", "create", "--type", "process", "documents")
        found("deploy", "--all", "--prefect-file", "deployments/prefect.yaml")
        yield found


def _wait_for_server(prefect: Prefect) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            prefect.runs()
            return
        time.sleep(0.1)
    raise AssertionError(Path(prefect.environment["PREFECT_HOME"], "server.log").read_text(encoding="utf-8"))


def test_a_deployment_runs_is_killed_is_taken_up_and_fires_by_its_schedule(
    prefect: Prefect, provider: Simulator, tmp_path: Path
) -> None:
    inputs, output = tmp_path / "input", tmp_path / "out"
    inputs.mkdir()
    fill(inputs, 40)
    said = prefect("deployment", "run", "summarize/nightly", "-p", "inputs=[]", fails=True)
    assert "inputs" in said
    said = prefect("deployment", "run", "summarize/nightly", "-p", 'options={"rpm": -1}', fails=True)
    assert "rpm" in said
    assert prefect.runs() == []

    provider.settings.latency = 0.3
    with prefect.worker() as worker:
        prefect.run("summarize/nightly", inputs, output=str(output), concurrency=2)
        _wait_for_answers(provider, 10)
        _kill(worker.pid, signal.SIGKILL)
    answered = provider.counts.answers
    provider.settings.latency = 0.0
    with prefect.worker():
        prefect.run("summarize/nightly", inputs, output=str(output), concurrency=2)
        prefect.until(lambda states: sorted(states) == ["Completed", "Crashed"])
        assert 40 <= provider.counts.answers <= 42
        assert 10 <= answered < 40
        rows = query(f"select count(distinct document_id), count(*) from '{output}/documents/*.parquet'")
        assert rows == [(40, 40)]
        assert "docmill-summarize" in [artifact["key"] for artifact in prefect.ask("artifacts")]

        vectors = tmp_path / "vectors"
        prefect("deploy", "--name", "hourly", "--prefect-file", str(_every_few_seconds(tmp_path, inputs, vectors)))
        prefect.until(lambda states: states.count("Completed") >= 2)
    assert query(f"select count(distinct document_id) from '{vectors}/chunks/*.parquet'") == [(40,)]


def _every_few_seconds(folder: Path, inputs: Path, output: Path) -> Path:
    """Return a file with the deployment that is hourly, at another pace and for other documents."""
    every = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text(encoding="utf-8"))
    (hourly,) = (one for one in every["deployments"] if one["name"] == "hourly")
    options = {"output": str(output), "provider": "openai-compatible", "model": "sim-model"}
    hourly |= {
        "schedules": [{"interval": EVERY, "active": True}],
        "parameters": {"inputs": [str(inputs)], "options": hourly["parameters"]["options"] | options},
    }
    path = folder / "prefect.yaml"
    path.write_text(yaml.safe_dump(every | {"deployments": [hourly]}), encoding="utf-8")
    return path


def _wait_for_answers(provider: Simulator, count: int) -> None:
    end = time.monotonic() + SECONDS
    while provider.counts.answers < count:
        assert time.monotonic() < end, "no run came"
        time.sleep(0.1)
