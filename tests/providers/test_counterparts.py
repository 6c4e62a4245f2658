"""Every route of the catalogue against its provider's counterpart, and against real clients of that API."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tasks.base.errors import AccountRefused, CallRejected, DocmillError, ModelUnknown, Overflow, Transient
from tasks.models.catalogue import load_catalogue
from tasks.models.model_lists import Listed
from tasks.providers.protocol import Completion, Message, Reply
from tasks.providers.registry import wire_of
from tests.conftest import RunJob
from tests.jobs.texts import put
from tests.providers.counterparts import (
    COMPLETION_TOKENS,
    COST,
    KEY,
    PROMPT_TOKENS,
    TEXT,
    Counterparts,
    Sent,
    converse,
)

ROUTES = [
    (model.name, served.provider)
    for model, served in load_catalogue().routes()
    if served.provider != "local" and model.subtype != "Embedding"
]
TELLS_COST = {"apipie", "openrouter", "deepinfra"}
DOCUMENT = "The mill stood by the river until 1890. Its owner sold it to the town."


def set_all(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def route(name: str, provider: str) -> tuple[Any, Any]:
    return next(
        (model, served)
        for model, served in load_catalogue().routes()
        if (model.name, served.provider) == (name, provider)
    )


def expected_path(provider: str, sent_id: str, subtype: str) -> str:
    if provider == "bedrock":
        return f"/model/{quote(sent_id, safe='')}/converse"
    if provider == "edenai":
        return "/v2/text/chat" if sent_id.startswith("v2/") else "/v3/chat/completions"
    base = {"openrouter": "/api/v1", "deepinfra": "/v1/openai"}.get(provider, "/v1")
    return base + ("/completions" if subtype == "Language" else "/chat/completions")


def text_of(sent: Sent) -> str:
    body = sent.body
    if "prompt" in body:
        return str(body["prompt"])
    if "text" in body:
        return str(body["text"])
    content = body["messages"][0]["content"]
    return str(content if isinstance(content, str) else content[0]["text"])


@pytest.mark.parametrize(("name", "provider"), ROUTES, ids=str)
def test_every_route_of_the_catalogue_completes_a_document(
    parts: Counterparts, folder: Path, run_job: RunJob, monkeypatch: pytest.MonkeyPatch, name: str, provider: str
) -> None:
    set_all(monkeypatch, parts.environment(provider))
    put(folder, "a.txt", DOCUMENT)
    ran = run_job(provider=provider, model=name, context=8192 if provider == "edenai" else None)
    model, served = route(name, provider)
    (sent,) = parts.sent
    assert sent.path == expected_path(provider, served.id or name, model.subtype)
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    assert sent.headers["Content-Type"] == "application/json"
    assert DOCUMENT in text_of(sent)
    row = ran.documents["a.txt"]
    assert (ran.code, row["status"], row["output"]) == (0, "done", TEXT)
    told = (served.id or "").startswith("v2/") is False
    assert not told or (row["prompt_tokens"], row["completion_tokens"]) == (PROMPT_TOKENS, COMPLETION_TOKENS)
    assert (row["model"], row["provider"]) == (name, provider)
    if provider in TELLS_COST or (provider == "edenai" and told):
        assert row["cost_usd"] == pytest.approx(COST)
    elif served.price is None:
        assert row["cost_usd"] is None
    else:
        assert row["cost_usd"] == pytest.approx(served.price.cost(PROMPT_TOKENS, COMPLETION_TOKENS))


@pytest.mark.parametrize(("name", "provider"), ROUTES, ids=str)
def test_every_route_of_the_catalogue_is_reached_through_the_aggregator_too(
    parts: Counterparts, folder: Path, run_job: RunJob, monkeypatch: pytest.MonkeyPatch, name: str, provider: str
) -> None:
    set_all(monkeypatch, parts.environment("apipie"))
    put(folder, "a.txt", DOCUMENT)
    ran = run_job(provider=f"apipie@{provider}", model=name, context=8192 if provider == "edenai" else None)
    (sent,) = parts.sent
    assert (sent.path, sent.body["model"], sent.body["provider"]) == ("/v1/chat/completions", name, provider)
    assert (ran.code, ran.rows("calls")[0]["served_by"]) == (0, provider)


# What a provider answers, and what it means.
REFUSALS: list[tuple[str, int, dict[str, str], Any, type[DocmillError]]] = [
    ("openrouter", 200, {}, {"error": {"code": 502, "message": "the host failed"}}, Transient),
    ("openrouter", 402, {}, {"error": {"code": 402, "message": "Insufficient credits"}}, AccountRefused),
    ("openrouter", 529, {}, {"error": {"code": 529, "message": "overloaded"}}, Transient),
    (
        "openrouter",
        403,
        {},
        {"error": {"code": 403, "message": "Input was flagged by moderation"}},
        CallRejected,
    ),
    ("together", 403, {}, {"error": {"message": "Input tokens + max_tokens must be <= the context length"}}, Overflow),
    ("together", 402, {}, {"error": {"message": "credit limit exceeded"}}, AccountRefused),
    ("together", 429, {}, {"error": {"message": "slow", "error_type": "dynamic_token_limited"}}, Transient),
    ("deepinfra", 429, {}, {"detail": {"error": "Model busy, retry later"}}, Transient),
    ("mistral", 422, {}, {"detail": [{"msg": "field required"}]}, CallRejected),
    ("mistral", 429, {}, {"object": "error", "message": "capacity", "code": "3505"}, Transient),
    (
        "mistral",
        400,
        {},
        {"object": "error", "message": "too large for context length"},
        Overflow,
    ),
    ("monster", 404, {}, {"error": {"message": "no such model"}}, ModelUnknown),
    ("openai-compatible", 400, {}, {"object": "error", "message": "maximum context length is 4096 tokens"}, Overflow),
    ("apipie", 400, {}, {"error": {"message": "too long", "code": "context_length_exceeded"}}, Overflow),
    ("apipie", 401, {}, {"error": {"message": "bad key", "code": "invalid_request_error"}}, AccountRefused),
    ("edenai", 200, {}, {"mistral": {"status": "fail", "error": {"message": "provider timeout"}}}, Transient),
    ("edenai", 200, {}, {"mistral": {"status": "fail", "error": {"message": "maximum context length"}}}, Overflow),
    ("bedrock", 429, {"x-amzn-errortype": "ThrottlingException:http"}, {"message": "slow down"}, Transient),
    ("bedrock", 429, {"x-amzn-errortype": "ThrottlingException"}, {"message": "Too many tokens, wait"}, Transient),
    (
        "edenai",
        200,
        {},
        {"mistral": {"status": "fail", "error": {"message": "429 too many tokens per minute"}}},
        Transient,
    ),
    ("together", 403, {}, {"error": {"message": "`inputs` tokens + `max_new_tokens` must be <= 4097"}}, Overflow),
    ("together", 403, {}, {"error": {"message": "invalid API key"}}, AccountRefused),
    ("bedrock", 429, {"x-amzn-errortype": "ModelNotReadyException"}, {"message": "loading"}, Transient),
    ("bedrock", 400, {"x-amzn-errortype": "ServiceQuotaExceededException"}, {"message": "quota"}, AccountRefused),
    ("bedrock", 400, {"x-amzn-errortype": "ValidationException"}, {"message": "Input is too long"}, Overflow),
    ("bedrock", 400, {"x-amzn-errortype": "ValidationException"}, {"message": "malformed"}, CallRejected),
    ("bedrock", 403, {"x-amzn-errortype": "AccessDeniedException"}, {"message": "no"}, AccountRefused),
    ("bedrock", 404, {"x-amzn-errortype": "ResourceNotFoundException"}, {"message": "no model"}, ModelUnknown),
    ("bedrock", 408, {"x-amzn-errortype": "ModelTimeoutException"}, {"message": "late"}, Transient),
    ("bedrock", 503, {"x-amzn-errortype": "ServiceUnavailableException"}, {"message": "later"}, Transient),
]


def wire(provider: str) -> Any:
    return wire_of("openai" if provider == "openai-compatible" else provider)


@pytest.mark.parametrize(("provider", "status", "headers", "body", "kind"), REFUSALS)
def test_a_refusal_is_what_the_caller_should_do_next(
    provider: str, status: int, headers: dict[str, str], body: Any, kind: type[DocmillError]
) -> None:
    with pytest.raises(DocmillError) as refused:
        wire(provider).answer(Reply(status, headers, json.dumps(body).encode()))
    assert type(refused.value) is kind
    assert str(refused.value)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
    ],
)
def test_bedrock_s_reasons_to_stop_are_the_usual_ones(reason: str, finish: str) -> None:
    body = converse() | {"stopReason": reason}
    assert wire("bedrock").answer(Reply(200, {}, json.dumps(body).encode())).finish_reason == finish


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("content_filtered", CallRejected), ("guardrail_intervened", CallRejected), ("malformed_model_output", Transient)],
)
def test_what_bedrock_withholds_is_no_answer(reason: str, kind: type[DocmillError]) -> None:
    body = converse() | {"stopReason": reason}
    with pytest.raises(kind):
        wire("bedrock").answer(Reply(200, {}, json.dumps(body).encode()))


TURNS = (Message("system", "Be short."), Message("user", "Hello"), Message("assistant", "Yes"), Message("user", "More"))


def test_system_text_is_folded_in_where_the_model_refuses_it() -> None:
    small = wire("bedrock").completion(Completion("mistral.mistral-7b-instruct-v0:2", TURNS, 10))[1]
    large = wire("bedrock").completion(Completion("mistral.mistral-large-2402-v1:0", TURNS, 10))[1]
    assert small["messages"][0] == {"role": "user", "content": [{"text": "Be short.\n\nHello"}]}
    assert "system" not in small
    assert large["system"] == [{"text": "Be short."}]
    assert large["messages"][0] == {"role": "user", "content": [{"text": "Hello"}]}


def test_version_2_of_eden_ai_gets_the_turns_before_as_history() -> None:
    path, body = wire("edenai").completion(Completion("v2/mistral/tiny", TURNS[1:], 10))
    assert path == "/v2/text/chat"
    assert (body["providers"], body["settings"], body["text"]) == ("mistral", {"mistral": "tiny"}, "More")
    assert body["previous_history"] == [
        {"role": "user", "message": "Hello"},
        {"role": "assistant", "message": "Yes"},
    ]


# A record of each provider's model list, and what it says.
LISTS: list[tuple[str, Any, list[Listed]]] = [
    (
        "openrouter",
        {
            "data": [
                {
                    "id": "mistralai/mistral-nemo",
                    "context_length": 131072,
                    "pricing": {"prompt": "0.0000003", "completion": "0.0000003"},
                    "top_provider": {"context_length": 128000, "max_completion_tokens": 4096},
                },
                {"id": "fee", "pricing": {"prompt": "1e-6", "completion": "1e-6", "request": "0.005"}},
                {"id": "openrouter/auto", "context_length": 2000000, "pricing": {"prompt": "-1", "completion": "-1"}},
                {"id": "a/b:free", "pricing": {"prompt": "0", "completion": "0"}},
            ]
        },
        [
            Listed("mistralai/mistral-nemo", 128000, 4096, 0.3, 0.3),
            Listed("fee"),
            Listed("openrouter/auto", 2000000),
            Listed("a/b:free", None, None, 0.0, 0.0, is_free=True),
        ],
    ),
    (
        "together",
        [{"id": "a/b", "type": "chat", "context_length": 32768, "pricing": {"input": 0.6, "output": 0.7}}, {"id": "c"}],
        [Listed("a/b", 32768, None, 0.6, 0.7, "chat"), Listed("c")],
    ),
    (
        "deepinfra",
        {
            "data": [
                {
                    "id": "a/b",
                    "metadata": {
                        "context_length": 32768,
                        "max_tokens": 16384,
                        "pricing": {"input_tokens": 0.055, "output_tokens": 0.06},
                    },
                },
                {"id": "c", "metadata": None},
            ]
        },
        [Listed("a/b", 32768, 16384, 0.055, 0.06), Listed("c")],
    ),
    (
        "edenai",
        {"data": [{"id": "mistral/x", "pricing": {"input_cost_per_token": 2e-6, "output_cost_per_token": "0.000006"}}]},
        [Listed("mistral/x", None, None, 2.0, 6.0)],
    ),
    ("monster", {"data": [{"model": "m", "maximum_context_length": 8192}]}, [Listed("m", 8192)]),
    (
        "mistral",
        {"data": [{"id": "open-mistral-nemo", "max_context_length": 131072}]},
        [Listed("open-mistral-nemo", 131072)],
    ),
    (
        "apipie",
        {
            "object": "list",
            "data": [
                {
                    "model": "mistral-nemo",
                    "provider": "OpenRouter",
                    "enabled": 1,
                    "available": 0,
                    "type": "llm",
                    "subtype": "chat",
                    "max_tokens": 128000,
                    "max_response_tokens": 4096,
                    "req_price": "0.00000018",
                    "res_price": "0.00018",
                    "price_unit": "1.00",
                    "price_type": "token",
                    "latency": "900/1000/1100/1300/2000/1200",
                },
                {"model": "picture", "req_price": "0.04", "price_unit": "1", "price_type": "image"},
            ],
        },
        [
            Listed(
                "mistral-nemo", 128000, 4096, 0.18, 180.0, "chat", False, "openrouter", (0.9, 1.0, 1.1, 1.3, 2.0, 1.2)
            ),
            Listed("picture"),
        ],
    ),
    ("bedrock", {}, []),
]


@pytest.mark.parametrize(("provider", "body", "listed"), LISTS, ids=[row[0] for row in LISTS])
def test_a_model_list_is_read_in_its_own_units(provider: str, body: Any, listed: list[Listed]) -> None:
    assert wire(provider).listed(Reply(200, {}, json.dumps(body).encode())) == listed
