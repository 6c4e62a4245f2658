"""Whole jobs at routes that refuse requests as they are spelled, or answer in their own way."""

from pathlib import Path
from typing import Any

from aiohttp import web

from tests.conftest import RunJob
from tests.jobs.texts import fill, prose, put
from tests.providers.test_refusals import MINUTE, google
from tests.simulator import Simulator, error

MAX = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
HOT = "Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) value is supported."


def reasoner(_: int, body: dict[str, Any]) -> web.Response | None:
    if "max_tokens" in body:
        return error(400, MAX)
    if "temperature" in body:
        return error(400, HOT)
    body["max_tokens"] = body["max_completion_tokens"]
    return None


def test_what_a_reasoning_model_refuses_is_said_once_and_then_sent_as_it_takes_it(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 40)
    provider.settings.fault, provider.settings.context = reasoner, None
    ran = run_job(concurrency=1, context=8192)
    assert (ran.code, ran.record.totals.done, ran.rows("failures")) == (0, 40, [])
    assert provider.counts.requests == 42
    again = run_job(concurrency=1, context=8192, fresh=False)
    assert (again.code, again.record.totals.unchanged, provider.counts.requests) == (0, 40, 42)


def test_what_a_long_refusal_says_at_its_end_is_learned_too(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 8)
    words = "The gateway tried three hosts. " * 20 + "invalid temperature: only 1 is allowed for this model"
    provider.settings.fault = lambda _, body: error(400, words) if "temperature" in body else None
    ran = run_job(concurrency=1)
    assert (ran.code, ran.record.totals.done, ran.rows("failures")) == (0, 8, [])
    assert provider.counts.requests == 9


def test_calls_that_are_refused_together_learn_together(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 40)
    provider.settings.fault, provider.settings.context, provider.settings.latency = reasoner, None, 0.02
    ran = run_job(concurrency=16, context=8192)
    assert (ran.code, ran.record.totals.done) == (0, 40)
    assert provider.counts.requests <= 40 + 2 * 16


def test_geminis_limit_a_minute_is_waited_for(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    fill(folder, 6)
    provider.settings.fault = lambda number, _: (
        web.json_response(google(MINUTE, "0.2s"), status=429) if number in (2, 3) else None
    )
    ran = run_job(concurrency=2)
    assert (ran.code, ran.record.totals.done) == (0, 6)


def test_a_text_that_mistral_calls_too_long_is_cut_again(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    put(folder, "long.txt", prose(30_000))
    words = "Prompt contains 7000 tokens and 0 draft tokens, too large for model with 4096 maximum context length"

    def small(_: int, body: dict[str, Any]) -> web.Response | None:
        return error(400, words) if len(body["messages"][0]["content"]) > 12_000 else None

    provider.settings.fault = small
    ran = run_job()
    row = ran.documents["long.txt"]
    assert (ran.code, row["status"]) == (0, "done")
    assert row["covered_characters"] == row["characters"]
