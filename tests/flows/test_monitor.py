"""The monitor's command line: whole processes, real exit codes."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from flows.monitor import monitor
from tasks.monitor import main
from tests.flows.test_command import ROOT, assert_mistake, environment
from tests.simulator import Simulator

SECONDS = 100
ROUTE = ("--routes", "openai-compatible/sim-model", "--price", "0/0")


def started(provider: Simulator, home: Path, *words: str, prefect: str | None = None) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "flows.monitor", *words]
    env = environment(provider, prefect, DOCMILL_HISTORY=str(home))
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_look_tells_and_a_route_that_is_down_is_exit_3(provider: Simulator, prefect: str, tmp_path: Path) -> None:
    with started(provider, tmp_path, *ROUTE, "--json", prefect=prefect) as good:
        out, words = good.communicate(timeout=SECONDS)
    assert good.returncode == 0, words
    (route,) = json.loads(out)["routes"]
    assert (route["provider"], route["state"], route["probes"]) == ("openai-compatible", "up", 1)
    assert "openai-compatible/sim-model" in words
    provider.settings.change({"chaos": {"http_503": 1.0}})
    with started(provider, tmp_path, *ROUTE, "--json", "--no-progress", prefect=prefect) as bad:
        out, words = bad.communicate(timeout=SECONDS)
    assert bad.returncode == 3, words
    assert json.loads(out)["alarms"][0]["event"] == "docmill.route.down"
    assert [line for line in words.splitlines() if line.startswith("docmill: ")] == [
        f"docmill: {json.loads(out)['alarms'][0]['message']}"
    ]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_loop_ends_cleanly_by_a_signal(
    provider: Simulator, prefect: str, tmp_path: Path, number: int, code: int
) -> None:
    with started(provider, tmp_path, *ROUTE, "--every", "1s", "--json", prefect=prefect) as loop:
        deadline = time.monotonic() + SECONDS
        while provider.counts.requests < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        loop.send_signal(number)
        out, words = loop.communicate(timeout=SECONDS)
    assert loop.returncode == code, words
    looks = [json.loads(line) for line in out.splitlines()]
    assert [one["routes"][0]["probes"] for one in looks] == list(range(1, len(looks) + 1))
    assert len(looks) >= 2
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--sizes", "2k,many"], "2k,many"),
        (["--sizes", "5"], "--sizes"),
        (["--probe-budget", "-1"], "--probe-budget"),
        (["--every", "soon"], "soon"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_thing(
    provider: Simulator, words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main("", monitor, words=words)
    assert_mistake(code, capsys.readouterr().err, named)


def test_a_mistake_ends_a_whole_process_so_too(provider: Simulator, prefect: str, tmp_path: Path) -> None:
    with started(provider, tmp_path, "--routes", "sim-model", prefect=prefect) as wrong:
        _, errors = wrong.communicate(timeout=SECONDS)
    assert_mistake(wrong.returncode, errors, "--routes sim-model")


def test_with_a_server_of_its_own_it_serves_live_pages_while_it_looks_and_leaves_one(
    provider: Simulator, tmp_path: Path
) -> None:
    words = (*ROUTE, "--output", str(tmp_path / "out"), "--every", "1s", "--serve", "--no-progress")
    with started(provider, tmp_path, *words) as loop:
        assert loop.stderr is not None
        url = re.search(r"http://127\.0\.0\.1:\d+/", loop.stderr.readline())
        assert url is not None
        deadline = time.monotonic() + SECONDS
        while provider.counts.answers < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        with urllib.request.urlopen(url[0], timeout=30) as reply:
            live = reply.read().decode()
        loop.send_signal(signal.SIGINT)
        loop.communicate(timeout=SECONDS)
    assert loop.returncode == 130
    assert "sim-model" in live
    assert "sim-model" in (tmp_path / "out" / "dashboard.html").read_text(encoding="utf-8")
