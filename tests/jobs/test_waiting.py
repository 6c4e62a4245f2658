"""Routes that are down: waited for, passed by for a fallback, told from documents that are the trouble."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.conftest import FastTime, RunJob
from tests.jobs.texts import fill, prose, put
from tests.simulator import Fault, Reset, Simulator, error, html

FALLBACK = ("apipie/sim-model",)


def outage(first: int, last: int, fault: Fault) -> Fault:
    """A fault for the requests from number `first` to `last`."""
    return lambda number, body: fault(number, body) if first <= number <= last else None


def poisonous(fault: Fault) -> Fault:
    return lambda number, body: fault(number, body) if "POISON" in json.dumps(body) else None


def busy(*_: Any) -> web.StreamResponse:
    return error(503, "overloaded")


@pytest.mark.parametrize("fault", [busy, lambda *_: Reset(), lambda *_: html(502), lambda *_: error(500, "oh")])
def test_a_route_that_comes_back_within_the_patience_is_waited_for(
    folder: Path, provider: Simulator, run_job: RunJob, fault: Fault
) -> None:
    fill(folder, 40)
    provider.settings.fault = outage(15, 90, fault)
    ran = run_job(opened=FastTime().rule, concurrency=20, patience=3600)
    assert (ran.code, ran.record.totals.done) == (0, 40)
    assert set(provider.counts.answered.values()) == {1}


def test_a_route_that_stays_down_pauses_the_job_after_the_patience_and_is_asked_seldom(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 40)
    provider.settings.fault = outage(15, 10**9, busy)
    time = FastTime()
    began = time.now
    ran = run_job(opened=time.rule, concurrency=20, patience=1800)
    assert (ran.code, ran.record.status) == (4, "paused")
    assert len(ran.documents) == 14
    assert "is down: HTTP 503: " in str(ran.record.reason)
    assert "the same command goes on" in str(ran.record.reason)
    assert 1800 <= time.now - began < 3 * 1800
    # A probe every half minute, not every document's attempts: 26 x 6 = 156 would be those.
    assert provider.counts.requests < 14 + 20 * 6 + 1800 / 30 + 10
    provider.settings.fault = None
    assert run_job(concurrency=20).code == 0
    assert set(provider.counts.answered.values()) == {1}


def test_a_fallback_is_used_while_the_first_route_is_down_and_the_first_one_again_after(
    folder: Path, provider: Simulator, second_provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 300)
    time = FastTime()
    back = time.now + 1000
    provider.settings.fault = lambda number, _: busy() if number >= 20 and time.now < back else None

    def pass_time(*_: Any) -> None:
        time.now += 8

    second_provider.settings.fault = pass_time
    ran = run_job(opened=time.rule, concurrency=16, patience=3600, fallback=FALLBACK)
    assert (ran.code, ran.record.totals.done) == (0, 300)
    assert second_provider.counts.answers > 0
    assert provider.counts.answers > 50  # not only the first nineteen: it came back
    assert provider.counts.answers + second_provider.counts.answers == 300


@pytest.mark.parametrize("reason", ["connection", "not_json"])
@pytest.mark.parametrize("poisoned", [1, 3, 10])
def test_documents_that_always_break_the_connection_are_failed_and_all_others_done(
    folder: Path, provider: Simulator, run_job: RunJob, reason: str, poisoned: int
) -> None:
    fill(folder, 210)
    for number in range(poisoned):
        put(folder, f"zzz{number}.txt", f"POISON number {number}")  # the last ones: nobody is answered after them
    fault: Fault = (lambda *_: Reset()) if reason == "connection" else (lambda *_: html(200))
    provider.settings.fault = poisonous(fault)
    ran = run_job(opened=FastTime().rule, concurrency=16, patience=3600)
    assert (ran.code, ran.record.totals.done, ran.record.totals.failed) == (3, 210, poisoned)
    failures = ran.rows("failures")
    assert {row["error_kind"] for row in failures} == {reason}
    assert len(failures) == poisoned
    assert all(row["attempts"] >= 6 for row in failures)
    provider.settings.fault, asked = None, provider.counts.requests
    again = run_job(opened=FastTime().rule, retry_failed=True)
    assert (again.code, len(again.documents)) == (0, 210 + poisoned)
    assert provider.counts.requests == asked + poisoned


def test_ten_poison_documents_among_a_thousand_are_ten_failures(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 990, 60)
    for number in range(10):
        put(folder, f"{number * 99:03d}x.txt", f"POISON {number}")
    provider.settings.fault = poisonous(lambda *_: error(500, "cannot do this"))
    ran = run_job(opened=FastTime().rule, patience=1800)
    assert (ran.code, ran.record.totals.done, ran.record.totals.failed) == (3, 990, 10)
    failures = ran.rows("failures")
    assert len(failures) == 10
    assert {(row["error_kind"], row["http_status"]) for row in failures} == {("http_500", 500)}
    assert all(6 <= row["attempts"] <= 10 for row in failures)
    asked = provider.counts.requests
    again = run_job(opened=FastTime().rule, patience=1800, retry_failed=True)
    assert (again.code, again.record.totals.failed) == (3, 10)
    assert all("POISON" in json.dumps(body) for body in provider.counts.prompts[990:])
    assert asked < provider.counts.requests <= asked + 10 * 12


def test_one_document_at_a_server_that_breaks_every_connection_is_set_aside_where_the_server_is_up(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    put(folder, "one.txt", "text")
    provider.settings.fault = lambda *_: Reset()
    ran = run_job(opened=FastTime().rule, patience=3600)
    assert (ran.code, ran.documents["one.txt"]["error_kind"]) == (3, "connection")


def test_a_server_that_cannot_be_reached_is_never_one_documents_fault(
    folder: Path, provider: Simulator, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, "one.txt", "text")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    ran = run_job(opened=FastTime().rule, patience=600, context=8192)
    assert (ran.code, ran.documents) == (4, {})
    assert "can't connect" in str(ran.record.reason)


def test_a_long_document_probes_with_one_of_its_calls_not_with_all(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    put(folder, "long.txt", prose(300_000, 1))
    time = FastTime()
    arrived: list[float] = []

    def noted(number: int, body: dict[str, Any]) -> web.StreamResponse | None:
        arrived.append(time.now)
        return busy() if number <= 80 else None

    provider.settings.fault = noted
    ran = run_job(opened=time.rule, concurrency=40, patience=36_000)
    assert (ran.code, len(ran.documents)) == (0, 1)
    assert set(provider.counts.answered.values()) == {1}
    probes = arrived[60:80]
    assert len(set(probes)) == len(probes)  # one at a time
