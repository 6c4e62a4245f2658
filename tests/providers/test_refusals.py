"""Each vendor's own words for a refusal lead to what the caller should do next."""
# ruff: noqa: E501 - the vendors' words stand in one piece

import json
from typing import Any

import pytest

from tasks.base.errors import AccountRefused, CallRejected, DocmillError, ModelUnknown, Overflow, Transient
from tasks.providers.adjustments import Adjustments
from tasks.providers.protocol import Reply
from tasks.providers.wires.openai import OpenAI
from tasks.providers.wires.openrouter import OpenRouter

QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "head to: https://ai.google.dev/gemini-api/docs/rate-limits. * Quota exceeded for metric: "
    "generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 15. Please retry in 3.4s."
)
DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
FREE = {"headers": {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1790000000000"}}
MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"


def google(quota: str, delay: str | None = "3s") -> dict[str, Any]:
    details: list[dict[str, Any]] = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": quota}]}
    ]
    if delay:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    return {"error": {"code": 429, "message": QUOTA, "status": "RESOURCE_EXHAUSTED", "details": details}}


def error(message: Any, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


REFUSALS: list[tuple[int, Any, type[DocmillError]]] = [
    # Too long, by vendor.
    (400, error("Prompt contains 70000 tokens and 0 draft tokens, too large for model with 65536 maximum context length"), Overflow),
    (400, {"object": "error", "message": "Prompt contains 70000 tokens, too large for model with 65536 maximum context length"}, Overflow),
    (400, error("This model's maximum context length is 8192 tokens.", code="context_length_exceeded"), Overflow),
    (400, [{"error": {"code": 400, "message": "The input token count (70000) exceeds the maximum number of tokens allowed (32768)."}}], Overflow),
    (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 205000 tokens > 200000 maximum"}}, Overflow),
    (400, error("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"), Overflow),
    (400, error("Please reduce the length of the messages or completion."), Overflow),
    (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097", "error_type": "validation"}, Overflow),
    (400, {"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000"}, Overflow),
    (400, error("This model's maximum prompt length is 131072 but the request contains 140000 tokens."), Overflow),
    (400, error("the request exceeds the available context size, try increasing it", type="exceed_context_size_error"), Overflow),
    (500, {"error": {"message": "Requested tokens (9000) exceed context window of 8192"}}, Overflow),
    (400, {"detail": [{"type": "value_error", "loc": ["body"], "msg": "the prompt exceeds the limit of 8192 tokens"}]}, Overflow),
    (400, error("Provider returned error", metadata={"raw": '{"error": {"message": "prompt is too long"}}'}), Overflow),
    (400, {"error": {"message": {"detail": "Input is too long for requested model."}}}, Overflow),
    (413, {"message": "Request Entity Too Large"}, Overflow),
    (422, error("`inputs` must have less than 4096 tokens. Given: 5000"), Overflow),
    (400, error("max_tokens must be at least 1, got -50."), Overflow),
    (400, {"code": "InvalidParameter", "message": "Range of input length should be [1, 30720]", "request_id": "r"}, Overflow),
    (400, error("<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]", code="invalid_parameter_error", type="invalid_request_error"), Overflow),
    (413, error("Request too large for model on tokens per minute (TPM): Limit 6000, Requested 9000"), Overflow),
    # Of the answer, not of the text.
    (400, error("<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]", code="invalid_parameter_error"), CallRejected),
    # Of tokens a minute, not of a window.
    (429, error("Rate limit reached: too many tokens per minute. Please try again in 1.5s."), Transient),
    (200, error("429 too many tokens per minute"), Transient),
    # Withheld: the document's, not the account's.
    (400, error("The response was filtered", code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}), CallRejected),
    (400, error("Your request was flagged by our moderation system"), CallRejected),
    (403, error("Your chosen model requires moderation and your input was flagged"), CallRejected),
    (400, error("DataInspectionFailed", code="data_inspection_failed"), CallRejected),
    # A limit a minute heals, whatever it says of plans and billing.
    (429, google(MINUTE), Transient),
    (429, [google(MINUTE)], Transient),
    (429, google(MINUTE, None), Transient),
    (429, error("Rate limit reached for gpt-4o in organization o on requests per min (RPM): Limit 3. Please try again in 20s.", code="rate_limit_exceeded"), Transient),
    (429, error("Engine is overloaded", type="engine_overloaded_error"), Transient),
    (400, error("Model mistral/x is currently loading", estimated_time=20.0), Transient),
    (529, error("Overloaded", type="overloaded_error"), Transient),
    (429, error("Rate limit exceeded: free-models-per-min. ", code=429, metadata=FREE), Transient),
    # Spent: no wait of minutes gives it back.
    (429, google(DAY, "3600s"), AccountRefused),
    (429, error("You exceeded your current quota, please check your plan and billing details.", type="insufficient_quota"), AccountRefused),
    (400, error("Your credit balance is too low to access the Anthropic API."), AccountRefused),
    (402, {"error": "You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO to get 20x more monthly included credits."}, AccountRefused),
    (429, {"error": "You have exceeded your monthly included credits for Inference Providers."}, AccountRefused),
    (429, error("You have depleted your monthly included credits. Purchase pre-paid credits to continue using Inference Providers."), AccountRefused),
    (429, error("Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day", code=429, metadata=FREE), AccountRefused),
    (429, error("Rate limit exceeded: free-models-per-day-high-balance. ", type="rate_limit_error", code="429"), AccountRefused),
    (200, error("Rate limit exceeded: free-models-per-day. ", code=429), AccountRefused),
    (402, error("This request requires more credits, or fewer max_tokens."), AccountRefused),
    (400, error("Budget has been exceeded! Current cost: 1.0, Max budget: 0.5", type="budget_exceeded"), AccountRefused),
    (400, error("API key not valid. Please pass a valid API key.", status="INVALID_ARGUMENT"), AccountRefused),
    (401, error("Incorrect API key provided"), AccountRefused),
    # The model has gone.
    (400, error("The model `mixtral-8x7b-32768` has been decommissioned", code="model_decommissioned"), ModelUnknown),
    (400, error("mistral/tiny is not a valid model ID"), ModelUnknown),
    (404, error("The model `x` does not exist or you do not have access to it"), ModelUnknown),
    (410, error("This model is gone"), ModelUnknown),
    # A parameter's end isn't the model's, nor a billing service that is down the account's.
    (400, error("For this model, the parameter 'temperature' is deprecated."), CallRejected),
    (503, error("The billing service is not reachable"), Transient),
    # What nobody knows is told as it is.
    (400, error("Something else is wrong"), CallRejected),
    (422, {"detail": [{"loc": ["body", "n"], "msg": "value is not a valid integer"}]}, CallRejected),
    (418, {"errors": ["no coffee here"]}, CallRejected),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind"), REFUSALS)
def test_a_refusal_is_known_by_its_vendors_own_words(status: int, body: Any, kind: type[DocmillError]) -> None:
    with pytest.raises(DocmillError) as refused:
        OpenAI().answer(Reply(status, {}, json.dumps(body).encode()))
    assert type(refused.value) is kind
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


MODERATED = {
    "reasons": ["sexual"],
    "flagged_input": "It was a dark and...",
    "provider_name": "OpenAI",
    "model_slug": "m",
}
WITHHELD: list[tuple[int, Any]] = [
    (400, error("Content Exists Risk", type="invalid_request_error", code="invalid_request_error")),
    (400, {"detail": "Content Exists Risk"}),
    (400, error("Input data may contain inappropriate content.", code="data_inspection_failed", type="data_inspection_failed")),
    (400, error("<400> InternalError.Algo.DataInspectionFailed: Output data may contain inappropriate content.")),
    (400, {"code": "DataInspectionFailed", "message": "Request rejected", "request_id": "r"}),
    (400, {"contentFilter": [{"level": 1, "role": "user"}]} | error("系统检测到输入或生成内容可能包含不安全或敏感内容", code="1301")),
    (400, error("System detected potentially unsafe or sensitive content in input or generation.", code="1301")),
    (400, error("no words that anybody knows", code="1301")),
    (400, error("no words that anybody knows", code=1301)),
    (400, error("Provider returned error", metadata={"raw": '{"error": {"code": "1301", "message": "potentially unsafe or sensitive content"}}'})),
    (403, error("Forbidden", code=403, metadata=MODERATED)),
    (200, error("Forbidden", code=403, metadata=MODERATED)),
    (403, error("Your chosen model requires moderation and your input was flagged", code=403, metadata=MODERATED)),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body"), WITHHELD)
@pytest.mark.parametrize("wire", [OpenAI, OpenRouter])
def test_what_is_withheld_for_what_it_says_is_told_by_name(wire: type[OpenAI], status: int, body: Any) -> None:
    with pytest.raises(CallRejected) as refused:
        wire().answer(Reply(status, {}, json.dumps(body).encode()))
    assert refused.value.reason == "content_filter"
    assert "dark" not in str(refused.value)  # the text is nobody's to read in a log


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, error("Forbidden", code=403, metadata={"flagged_input": None}), AccountRefused),
        (403, error("Forbidden", code=403, metadata={"provider_name": "OpenAI"}), AccountRefused),
        (403, error("Forbidden", code=403, metadata="none"), AccountRefused),
        (401, error("Forbidden", code=401, metadata=MODERATED), AccountRefused),
        (429, error("Requests are limited", code="1302"), Transient),
        (429, error("slow down", code=1301), Transient),
    ],
)
def test_a_bad_key_or_a_limit_is_no_matter_of_what_the_text_says(
    status: int, body: Any, kind: type[DocmillError]
) -> None:
    with pytest.raises(DocmillError) as refused:
        OpenRouter().answer(Reply(status, {}, json.dumps(body).encode()))
    assert type(refused.value) is kind


@pytest.mark.parametrize(
    ("body", "headers", "seconds"),
    [
        (google(MINUTE, "3s"), {}, 3.0),
        (google(MINUTE, "3.5s"), {}, 3.5),
        (google(MINUTE, None), {}, 3.4),
        (google(MINUTE, "3s"), {"retry-after": "7"}, 7.0),
        (error("Please try again in 1.5s."), {}, 1.5),
        (error("Please try again in 20ms."), {}, 0.02),
        (error("Please try again in 1m30s."), {}, 90.0),
        (error("Please retry after 12 seconds."), {}, 12.0),
        (error("slow down"), {"retry-after-ms": "250"}, 0.25),
        (error("slow down"), {"retry-after-ms": "soon"}, None),
        (error("slow down"), {"x-ratelimit-reset": "6"}, 6.0),
        (error("slow down"), {"retry-after": "Mon, 01 Jan 2026 00:00:99999999999999999999 GMT"}, None),
        (error("slow down"), {}, None),
    ],
)
def test_a_limit_a_minute_is_waited_for_as_long_as_it_asks(
    body: Any, headers: dict[str, str], seconds: float | None
) -> None:
    with pytest.raises(Transient) as refused:
        OpenAI().answer(Reply(429, headers, json.dumps(body).encode()))
    assert refused.value.retry_after == (None if seconds is None else pytest.approx(seconds))


BODY = b'{"max_tokens":5,"messages":[],"model":"m","stop":["x"],"temperature":0.0}'
RENAMED = b'{"max_completion_tokens":5,"messages":[],"model":"m","stop":["x"],"temperature":0.0}'
WORDS: list[tuple[str, set[str]]] = [
    ("Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", {"max_tokens"}),
    ("Unsupported value: 'temperature' does not support 0.0 with this model. Only the default (1) value is supported.", {"temperature"}),
    ("`temperature` is deprecated for this model.", {"temperature"}),
    ("body temperature Extra inputs are not permitted", {"temperature"}),
    ("stop: Extra inputs are not permitted", {"stop"}),
    ("Unsupported parameter: 'stop' is not supported with this model.", {"stop"}),
    ("Unrecognized request argument supplied: stop", {"stop"}),
    ('Invalid JSON payload received. Unknown name "stop": Cannot find field.', {"stop"}),
    ("Argument not supported on this model: stop", {"stop"}),
    ("got an unexpected keyword argument 'temperature'", {"temperature"}),
    ("`temperature` and `top_p` cannot both be specified for this model", {"temperature", "top_p"}),
    ("extra_forbidden body encoding_format", {"encoding_format"}),
    ("Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported.", {"temperature"}),
    ("invalid temperature: only 1 is allowed for this model", {"temperature"}),
    ("invalid temperature: only 0.6 is allowed for this model", {"temperature"}),
    ("temperature must be 1", {"temperature"}),
    ("Temperature must be 1.0, got 0.0", {"temperature"}),
    ("`temperature` may only be set to 1 when thinking is enabled.", {"temperature"}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "names"), WORDS)
def test_a_refusal_tells_what_a_request_is_to_do_without(words: str, names: set[str]) -> None:
    learned = Adjustments()
    assert learned.learn(400, f"HTTP 400: {words}", 0)
    assert {*learned.renamed, *learned.dropped} == names
    sent = json.loads(learned.applied(BODY))
    assert not names & sent.keys()
    assert ("max_completion_tokens" in sent) == ("max_tokens" in names)
    assert sent["model"] == "m"
    assert not learned.learn(400, words, learned.count)  # refused again: it is no matter of spelling
    assert learned.learn(400, words, 0)  # sent before it was known


@pytest.mark.parametrize(
    "words",
    ["temperature must be between 0 and 2", "temperature must be 1.5", "temperature must be 1 or less", "temperature must be at most 1", "temperature must be 10", "unknown field: foo", "the stop is not here", "max_tokens must be at least 1", "nonstop unsupported", "This file type is not supported. Please stop sending it."],
)  # fmt: skip
def test_other_words_change_nothing(words: str) -> None:
    learned = Adjustments()
    assert not learned.learn(400, words, 0)
    assert learned.applied(BODY) is BODY


@pytest.mark.parametrize(("words", "names"), WORDS)
def test_a_refusal_is_heeded_however_late_it_comes_to_the_point(words: str, names: set[str]) -> None:
    wrapped = error("litellm.BadRequestError: " + "tried again at another host. " * 60 + words)
    with pytest.raises(CallRejected) as refused:
        OpenAI().answer(Reply(400, {}, json.dumps(wrapped).encode()))
    assert len(str(refused.value)) < 300
    learned = Adjustments()
    assert learned.learn(refused.value.status, refused.value.words, 0)
    assert {*learned.renamed, *learned.dropped} == names


def test_a_refusal_that_repeats_what_was_sent_is_about_what_is_named_near_it() -> None:
    text = "The temperature and the top_p of the sea. " + "It rose again. " * 30
    learned = Adjustments()
    assert not learned.learn(400, f"{text}This role is not supported.", 0)
    assert learned.learn(400, f"{text}Unsupported parameter: 'stop'", 0)
    assert learned.dropped == {"stop"}


def test_only_a_refusal_of_the_request_is_heeded() -> None:
    assert not Adjustments().learn(429, "temperature is not supported", 0)
