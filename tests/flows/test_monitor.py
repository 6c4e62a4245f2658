"""The monitor's command line, as a person uses it."""

import contextlib
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.tables import query
from tests.flows.test_command import ROOT, SECONDS, environment
from tests.simulator import Settings, serving

ROUTE = ("--routes", "openai-compatible/sim-model", "--price", "0.1/0.1", "--probe-budget", "1")


@pytest.fixture(scope="session")
def prefect() -> None:
    """Every command has a server of its own."""


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "flows.monitor", *words]


@contextlib.contextmanager
def running(env: dict[str, str], *words: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        command(*words), cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_look_leaves_its_page_and_history_and_a_route_that_is_down_alarms(tmp_path: Path) -> None:
    words = command(*ROUTE, "--output", str(tmp_path / "out"), "--json")
    with serving(Settings(context=8192)) as provider:
        env = environment(provider, DOCMILL_HISTORY=str(tmp_path / "history"))
        found = []
        for fault in (None, "down"):
            provider.settings.key = "another" if fault else provider.settings.key
            ran = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=SECONDS, check=False)
            found.append((ran.returncode, json.loads(ran.stdout)["routes"][0]["state"]))
    assert found == [(0, "up"), (3, "down")]
    assert "openai-compatible/sim-model" in ran.stderr
    assert "sim-model" in (tmp_path / "out" / "dashboard.html").read_text(encoding="utf-8")
    rows = query(
        f"select error_kind is null, count(*) from '{tmp_path}/history/events/*.parquet' group by 1 order by 1"
    )
    assert rows == [(False, 1), (True, 1)]


def test_it_looks_again_and_again_serves_live_pages_and_ends_by_a_signal(tmp_path: Path) -> None:
    with serving(Settings(context=8192)) as provider:
        env = environment(provider, DOCMILL_HISTORY=str(tmp_path / "history"))
        with running(
            env, *ROUTE, "--output", str(tmp_path / "out"), "--every", "1s", "--serve", "--no-progress"
        ) as one:
            assert one.stderr is not None
            url = re.search(r"http://127\.0\.0\.1:\d+/", one.stderr.readline())
            assert url is not None
            _wait_for_answers(provider, 3)
            with urllib.request.urlopen(url[0], timeout=10) as reply:
                page = reply.read().decode()
            one.send_signal(signal.SIGINT)
            assert one.wait(SECONDS) == 130
    assert "sim-model" in page


def _wait_for_answers(provider: Any, count: int) -> None:
    end = time.monotonic() + SECONDS
    while provider.counts.answers < count:
        assert time.monotonic() < end, "no look came"
        time.sleep(0.1)


def test_a_misspelt_flag_is_named() -> None:
    ran = subprocess.run(
        command("--probe-budgt", "1"), cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ran.returncode == 2
    assert "--probe-budgt" in ran.stderr
    assert "Traceback" not in ran.stderr
