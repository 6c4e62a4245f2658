"""Jobs of one account share its limits, and never the key; two runs and their processes hold one limit together."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from tasks.base.errors import Interrupted, UserMistake
from tasks.base.settings import Settings
from tasks.dispatch.limits.leases import BOOK
from tasks.jobs.job import Job
from tasks.ledger.register import FileRegister
from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tasks.providers.account import Account
from tasks.running.opening import open_job
from tasks.running.shared_limits import FILE, VARIABLE, sharing
from tests.benchmarks.limits import run_for
from tests.conftest import KEY, RunJob, hasten
from tests.jobs.texts import fill
from tests.simulator import Simulator

ROOT = Path(__file__).parents[2]
SENDING = """
import asyncio, sys, time
from pathlib import Path
from tasks.dispatch.limits.gate import Limits
from tasks.providers.effective_limits import SECOND
from tasks.dispatch.limits.rate import Demand
from tasks.dispatch.limits.leased_rate import SharedRate
from tasks.base.settings import Settings
from tasks.running.shared_limits import sharing
from tasks.providers.account import Account

async def main(seconds):
    with sharing(sys.argv[1], Settings({})) as share:
        limits = Limits([SharedRate("requests", 100, SECOND)], concurrency=40)
        leasing = await share.lease(Account("p", "http://p"), limits, print, print)
        until = time.monotonic() + seconds

        async def call():
            while time.monotonic() < until:
                grant = await limits.enter(Demand(1, 0))
                print(time.monotonic(), flush=True)
                await asyncio.sleep(0.2)
                limits.leave(grant, None)

        await asyncio.gather(*(call() for _ in range(30)))
        await leasing.end()

asyncio.run(main(float(sys.argv[2])))
"""


def sending(place: Path, seconds: float) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", SENDING, str(place), str(seconds)]
    return subprocess.Popen(words, cwd=ROOT, env=os.environ | {"PYTHONPATH": "."}, stdout=subprocess.PIPE, text=True)


def holders(place: Path) -> dict[str, int]:
    """The places of each job that is there now."""
    register = FileRegister(place / FILE)
    name = Account("p", "http://p").fingerprint()
    book, now = register.change(name, lambda text, now: (text, (BOOK.validate_json(text or "{}"), now)))
    register.close()
    return {name: one.places for name, one in book.alive(now).items()}


def test_processes_together_keep_to_one_limit_and_use_it(tmp_path: Path) -> None:
    running = [sending(tmp_path, 5.0) for _ in range(3)]
    times = sorted(float(line) for one in running for line in one.communicate(timeout=60)[0].split())
    assert [one.returncode for one in running] == [0, 0, 0]
    for number, time_ in enumerate(times[100:]):
        assert time_ - times[number] >= 1.0 - 0.05
    assert len(times) >= 5 * 100 * 0.5  # the processes begin one after the other, on a busy machine


def test_the_places_of_a_killed_process_are_free_again_within_ten_seconds(tmp_path: Path) -> None:
    one = sending(tmp_path, 60.0)
    try:
        assert one.stdout is not None
        one.stdout.readline()
        (place,) = holders(tmp_path).values()
        assert place > 0
    finally:
        one.send_signal(signal.SIGKILL)
        one.communicate()
    killed = time.monotonic()
    assert len(holders(tmp_path)) == 1
    register = FileRegister(tmp_path / FILE, lambda: killed + 10.1)
    name = Account("p", "http://p").fingerprint()
    book, now = register.change(name, lambda text, now: (text, (BOOK.validate_json(text), now)))
    register.close()
    assert book.alive(now) == {}


def test_two_jobs_at_once_share_their_limit_and_leave_their_places(
    tmp_path: Path, folder: Path, provider: Simulator
) -> None:
    fill(folder, 400)
    provider.settings.latency = 0.05

    def run(number: int) -> Job:
        options = Options(
            output=tmp_path / f"out{number}",
            provider="openai-compatible",
            model="sim-model",
            rpm=1200,
            share_limits=str(tmp_path / "limits"),
        )
        with open_job(prepare("summarize", [str(folder)], options)) as job:
            run_for(job, 5.0)
        return job

    with ThreadPoolExecutor(2) as pool:
        jobs = list(pool.map(run, range(2)))
    times = provider.counts.times
    assert len(times) <= (5.0 + 3.0) * 1200 / 60
    assert len(times) >= 0.6 * 5.0 * 1200 / 60
    assert min(job.meter.calls for job in jobs) > 0
    assert KEY.encode() not in b"".join(path.read_bytes() for path in (tmp_path / "limits").iterdir())
    assert isinstance(jobs[0].stopped(), Interrupted)


def test_a_job_goes_on_where_the_file_is_lost_and_says_so_once(
    tmp_path: Path, folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 30)
    place = tmp_path / "limits"

    def losing(job: Job) -> None:
        hasten(job)
        for path in place.iterdir():
            path.unlink()
        place.rmdir()
        place.write_text("no folder any more")

    said: list[str] = []
    ran = run_job(losing, rpm=6000, share_limits=str(place), finished=lambda job: said.extend(job.meter.troubles))
    assert (ran.code, ran.record.totals.done) == (0, 30)
    assert len(said) == 1
    assert said[0].startswith(f"shared limits of openai-compatible: {place / FILE} can't be used")
    assert said[0].endswith("each job goes on with an equal share, of 1, until it is back")


def test_a_variable_says_where_and_an_option_says_so_instead(tmp_path: Path) -> None:
    with sharing(None, Settings({})) as share:
        assert share is None
    with sharing(None, Settings({VARIABLE: str(tmp_path / "there")})) as share:
        assert share is not None
    with sharing(str(tmp_path / "here"), Settings({VARIABLE: "mysql://user:secret@host"})) as share:
        assert share is not None
    assert [(tmp_path / name / FILE).is_file() for name in ("there", "here")] == [True, True]


def test_here_is_a_file_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with sharing("here", Settings({})):
        assert list(tmp_path.rglob(FILE)) != []


@pytest.mark.parametrize("place", ["postgresql://u:s3cret@host/db", "mysql://u:s3cret@host/db"])
def test_options_take_no_password_and_no_other_url(place: str) -> None:
    with pytest.raises(UserMistake, match="DOCMILL_LIMITS") as caught:
        Options(share_limits=place)
    assert "s3cret" not in str(caught.value)


def test_an_account_is_known_by_no_word_of_its_key() -> None:
    words = {
        Account(provider, url, SecretStr(key) if key else None).fingerprint()
        for provider in ("a", "b")
        for url in ("http://a", "http://b")
        for key in (KEY, "other", None)
    }
    assert len(words) == 12
    assert {len(word) for word in words} == {20}
    assert Account("a", "http://a", SecretStr(KEY)).fingerprint() in words
