"""Routes that fail hand over to the next; every request fits the window of the one it goes to."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import mistral_common
import pytest
from mistral_common.protocol.instruct.messages import AssistantMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from tasks.base.errors import UserMistake
from tasks.dispatch.dispatcher import Dispatcher
from tasks.dispatch.exchanger import Delivered
from tasks.planning.prepare import prepare
from tasks.prompting.options import Options
from tasks.providers.call import Call
from tests.conftest import KEY, RunJob
from tests.jobs.texts import fill, prose, put
from tests.simulator import Reset, Simulator, error

FALLBACK = ("apipie/sim-model",)


def test_a_fallback_takes_over_where_the_first_account_is_refused(
    folder: Path, provider: Simulator, second_provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.key = "another-key"
    fill(folder, 20)
    ran = run_job(fallback=FALLBACK, concurrency=2)
    assert (ran.code, ran.record.status, ran.record.reason) == (0, "done", None)
    assert {row["provider"] for row in ran.documents.values()} == {"apipie"}
    assert provider.counts.requests <= 2
    assert second_provider.counts.answers == len(ran.documents) == 20


def test_a_fallback_takes_over_in_the_middle_and_keeps_what_was_answered(
    folder: Path, provider: Simulator, second_provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.fault = lambda number, _: error(402, "no credit left") if number > 8 else None
    fill(folder, 30)
    ran = run_job(fallback=FALLBACK, concurrency=2)
    assert ran.code == 0
    by_provider = [row["provider"] for row in ran.documents.values()]
    assert by_provider.count("openai-compatible") == provider.counts.answers == 8
    assert by_provider.count("apipie") == second_provider.counts.answers == 22


def test_a_fallback_takes_over_from_a_server_that_is_down(
    folder: Path, provider: Simulator, second_provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.fault = lambda *_: Reset()
    fill(folder, 5)
    ran = run_job(fallback=FALLBACK)
    assert ran.code == 0
    assert {row["provider"] for row in ran.documents.values()} == {"apipie"}


def test_the_text_is_cut_anew_for_a_fallback_with_a_smaller_window(
    folder: Path, provider: Simulator, second_provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.key = "another-key"
    second_provider.settings.context = 3000
    text = prose(7000)
    put(folder, "a.txt", text)
    ran = run_job(fallback=FALLBACK)
    row = ran.documents["a.txt"]
    assert (ran.code, row["status"], row["covered_characters"]) == (0, "done", 7000)
    assert row["chunks"] > 1
    assert provider.counts.requests == 1
    spans = sorted((one["start_char"], one["end_char"]) for one in ran.rows("calls") if one["stage"] == "map")
    assert "".join(text[start:end] for start, end in spans) == text


def test_with_every_route_lost_the_job_pauses_and_says_why(
    folder: Path, provider: Simulator, second_provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.key = second_provider.settings.key = "another-key"
    fill(folder, 10)
    ran = run_job(fallback=FALLBACK)
    assert (ran.code, ran.record.status) == (4, "paused")
    assert "account" in str(ran.record.reason)
    assert ran.documents == {}


def test_apipie_is_told_how_to_route(
    folder: Path, provider: Simulator, second_provider: Simulator, run_job: RunJob
) -> None:
    fill(folder, 1)
    run_job(provider="apipie", routing="perf-avg")
    run_job(provider="apipie@bedrock")
    free, pinned = second_provider.counts.prompts
    assert (free["routing"], "provider" in free) == ("perf_avg", False)
    assert (pinned["provider"], "routing" in pinned) == ("bedrock", False)


@lru_cache
def tekken() -> "MistralTokenizer[Any, Any, Any, Any, Any]":
    return MistralTokenizer.from_file(str(Path(mistral_common.__file__).parent / "data" / "tekken_240718.json"))


def counted(body: dict[str, Any]) -> int:
    """Count a request's tokens with Mistral's own library, chat template included."""
    turns = [
        UserMessage(content=turn["content"]) if turn["role"] == "user" else AssistantMessage(content=turn["content"])
        for turn in body["messages"]
    ]
    return len(tekken().encode_chat_completion(ChatCompletionRequest(messages=turns)).tokens)


class Scales:
    """Weighs every request as the model itself would."""

    def __init__(self, context: int) -> None:
        self.context = context
        self.weights: list[int] = []

    def fault(self, _: int, body: dict[str, Any]) -> Any:
        weight = counted(body) + body["max_tokens"]
        self.weights.append(weight)
        return error(400, f"maximum context length is {self.context}") if weight > self.context else None


NEMO = "mistral-nemo"


def put_texts_of_many_scripts(folder: Path) -> None:
    put(folder, "english.txt", prose(12_000))
    put(folder, "japanese.txt", "吾輩は猫である。名前はまだ無い。どこで生れたか頓と見当がつかぬ。" * 120)
    put(folder, "emoji.txt", "👩‍👩‍👧‍👦🏽é ñ [INST] </s> <s> " * 150)
    put(folder, "spaces.txt", ("a" + " " * 300 + "\n") * 20 + "\t" * 2000)


@pytest.mark.parametrize("strategy", ["map-reduce", "refine"])
def test_every_request_fits_the_window_by_the_models_own_count(
    folder: Path, provider: Simulator, run_job: RunJob, strategy: str
) -> None:
    scales = Scales(1500)
    settings = provider.settings
    settings.models, settings.context, settings.fault = (NEMO,), 1500, scales.fault
    # Map answers are cut off once, so that conversations are weighed too.
    settings.finish = lambda body: "length" if len(body["messages"]) == 1 and "<document>" in str(body) else "stop"
    settings.write = lambda body: prose(420, str(body)[-300:])
    put_texts_of_many_scripts(folder)
    ran = run_job(model=NEMO, max_output_tokens=250, strategy=strategy)
    assert max(scales.weights) <= 1500
    assert ran.code == 0, [row["error"] for row in ran.documents.values()]
    assert all(row["characters"] == row["covered_characters"] for row in ran.documents.values())
    whole = [weight for weight in scales.weights if weight > 0.75 * 1500]
    assert len(whole) > 5  # and the window is used, not shunned


def test_an_answer_is_never_continued_beyond_the_window(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    scales = Scales(1500)
    settings = provider.settings
    settings.models, settings.context, settings.fault = (NEMO,), 1500, scales.fault
    settings.finish, settings.write = lambda _: "length", lambda body: prose(700, str(body)[-300:])
    put(folder, "english.txt", prose(12_000))
    run_job(model=NEMO, max_output_tokens=250)
    assert max(scales.weights) <= 1500
    assert provider.counts.answers == provider.counts.requests


def test_what_is_reserved_for_a_call_is_never_less_than_it_takes(
    folder: Path, provider: Simulator, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Limits and budget are held by what a call reserves beforehand."""
    calls: list[Call] = []
    send = Dispatcher.send

    async def noted(self: Dispatcher, call: Call, *rest: Any) -> Delivered:
        calls.append(call)
        return await send(self, call, *rest)

    monkeypatch.setattr(Dispatcher, "send", noted)
    settings = provider.settings
    settings.models, settings.context = (NEMO,), 1500
    settings.finish = lambda body: "length" if len(body["messages"]) == 1 else "stop"
    settings.write = lambda body: prose(420, str(body)[-300:])
    put_texts_of_many_scripts(folder)
    run_job(model=NEMO, max_output_tokens=250)
    assert {"<document>" in str(call.body) for call in calls} == {True, False}
    for call in calls:
        assert counted(json.loads(call.body)) <= call.prompt_tokens
        assert call.max_tokens == 250
        assert call.max_tokens == json.loads(call.body)["max_tokens"]


def test_a_model_whose_window_nobody_tells_is_refused_naming_the_option(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    provider.settings.tell_window = False
    fill(folder, 1)
    with pytest.raises(UserMistake, match=r"sim-model.*--context N"):
        run_job()
    assert run_job(context=8192).code == 0


def test_a_window_the_server_tells_may_be_narrowed_but_not_widened(
    folder: Path, provider: Simulator, run_job: RunJob
) -> None:
    put(folder, "a.txt", prose(20_000))
    wide = run_job(context=1_000_000).documents["a.txt"]["chunks"]
    narrow = run_job(context=3000).documents["a.txt"]["chunks"]
    assert 1 < wide < narrow


def test_the_catalogue_tells_the_window_where_the_server_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIPIE_API_KEY", KEY)
    monkeypatch.setenv("APIPIE_BASE_URL", "http://127.0.0.1:1/v1")
    prepared = prepare("summarize", ["."], Options(provider="apipie", model="mistral-large"))
    assert prepared.job_routes[0].route.window.context == 8192


def test_a_prompt_that_leaves_no_room_is_refused_at_once(provider: Simulator, tmp_path: Path) -> None:
    prompt = tmp_path / "long.txt"
    prompt.write_text("Read with care. " * 1000 + "{text}", encoding="utf-8")
    with pytest.raises(UserMistake, match="leave no room for text"):
        prepare("summarize", ["."], Options(provider="openai-compatible", model="sim-model", prompt=prompt))


def test_a_compatible_server_without_a_model_has_its_models_listed(provider: Simulator) -> None:
    with pytest.raises(UserMistake, match="needs --model: .* lists sim-model"):
        prepare("summarize", ["."], Options(provider="openai-compatible"))


@pytest.mark.parametrize("template", ["Nothing", "{text} and again {text}"])
def test_a_prompt_holds_the_text_exactly_once(provider: Simulator, tmp_path: Path, template: str) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text(template, encoding="utf-8")
    with pytest.raises(UserMistake, match="must stand in it once"):
        prepare("summarize", ["."], Options(provider="openai-compatible", model="sim-model", prompt=prompt))
