"""An answer that is paid for and of no use is told by name; one that nobody was paid for is asked again."""

import json
from typing import Any

import pytest

from tasks.base.errors import CallFailed, CallRejected, Transient
from tasks.providers.protocol import Answer, Reply, Wire
from tasks.providers.usage import Usage, read_usage
from tasks.providers.wires.bedrock import Bedrock
from tasks.providers.wires.edenai import EdenAI
from tasks.providers.wires.openai import OpenAI

PAID = {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 41}
THINKING_PART = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
TOOL = [{"id": "1", "type": "function", "function": {"name": "search", "arguments": "{}"}}]

# The message, how it finished, and what it is called.
MESSAGES: list[tuple[dict[str, Any], str | None, str]] = [
    ({"content": None, "refusal": "I can't help."}, "stop", "refused"),
    ({"content": "", "refusal": "I can't help."}, None, "refused"),
    ({"content": [{"type": "refusal", "refusal": "I can't help."}]}, "stop", "refused"),
    ({"content": "  "}, "refusal", "refused"),
    ({"content": None}, "content_filter", "content_filter"),
    ({"content": "Partly."}, "content_filter", "content_filter"),
    ({"content": "Partly."}, "SAFETY", "content_filter"),
    ({"content": None}, "PROHIBITED_CONTENT", "content_filter"),
    ({"content": "Partly."}, "sensitive", "content_filter"),
    ({"content": None, "reasoning_content": "Hm."}, "length", "reasoning_only"),
    ({"content": "", "reasoning": "Hm."}, "length", "reasoning_only"),
    ({"content": "", "reasoning": "Hm."}, "stop", "reasoning_only"),
    ({"content": [THINKING_PART]}, "length", "reasoning_only"),
    ({"content": "<think>Hm. And so on"}, "length", "reasoning_only"),
    ({"content": "<think>Hm.</think>\n"}, "stop", "reasoning_only"),
    ({"content": None, "tool_calls": TOOL}, "tool_calls", "tool_call"),
    ({"content": None, "function_call": {"name": "search"}}, "function_call", "tool_call"),
    ({"content": ""}, "stop", "empty_answer"),
    ({"content": " \n\t"}, "stop", "empty_answer"),
    ({"content": None}, "length", "empty_answer"),
    ({"content": [{"type": "image"}]}, "stop", "empty_answer"),
]


def fault(wire: Wire, body: Any) -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        wire.answer(Reply(200, {}, json.dumps(body).encode()))
    return failed.value


def chat(message: dict[str, Any], finish: str | None, usage: Any = PAID) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", **message}, "finish_reason": finish}], "usage": usage}


@pytest.mark.parametrize(("message", "finish", "kind"), MESSAGES)
def test_what_is_paid_for_and_of_no_use_is_set_aside_by_name(
    message: dict[str, Any], finish: str | None, kind: str
) -> None:
    error = fault(OpenAI(), chat(message, finish))
    assert isinstance(error, CallRejected)
    assert error.reason == kind
    assert isinstance(error.paid, Answer)
    assert (error.paid.prompt_tokens, error.paid.completion_tokens) == (32, 9)
    assert "\n" not in str(error)


def test_reasoning_that_only_the_usage_tells_of_is_told_by_name() -> None:
    usage = PAID | {"completion_tokens_details": {"reasoning_tokens": 9}}
    assert fault(OpenAI(), chat({"content": ""}, "length", usage)).reason == "reasoning_only"


def test_a_refusal_beside_an_answer_is_none() -> None:
    got = OpenAI().answer(Reply(200, {}, json.dumps(chat({"content": "Fine.", "refusal": ""}, "stop")).encode()))
    assert got.text == "Fine."


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 0, "completion_tokens": 0}, "none", [1]])
def test_an_answer_without_a_word_of_which_no_usage_is_told_is_asked_again(usage: Any) -> None:
    error = fault(OpenAI(), chat({"content": ""}, "stop", usage))
    assert isinstance(error, Transient)
    assert error.paid is None


def test_a_failure_in_the_middle_is_asked_again_and_was_paid_for() -> None:
    error = fault(OpenAI(), chat({"content": "Half an answ"}, "error"))
    assert isinstance(error, Transient)
    assert isinstance(error.paid, Answer)
    assert error.paid.completion_tokens == 9


def test_an_answer_without_choices_that_was_paid_for_is_set_aside() -> None:
    assert fault(OpenAI(), {"choices": [], "usage": PAID}).reason == "empty_answer"


@pytest.mark.parametrize(
    ("content", "stop", "kind"),
    [
        ([], "end_turn", "empty_answer"),
        ([{"reasoningContent": {"reasoningText": {"text": "Hm."}}}], "max_tokens", "reasoning_only"),
        ([{"toolUse": {"name": "search", "input": {}}}], "tool_use", "tool_call"),
        ([{"text": "Partly."}], "content_filtered", "content_filter"),
        ([{"text": "Partly."}], "guardrail_intervened", "content_filter"),
        ([{"text": "Half"}], "malformed_model_output", "error_in_answer"),
    ],
)
def test_bedrocks_are_told_by_the_same_names(content: list[Any], stop: str, kind: str) -> None:
    usage = {"inputTokens": 12, "cacheReadInputTokens": 20, "outputTokens": 9, "totalTokens": 41}
    body = {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop, "usage": usage}
    error = fault(Bedrock(), body)
    assert error.reason == kind
    assert isinstance(error.paid, Answer)
    assert (error.paid.prompt_tokens, error.paid.completion_tokens) == (32, 9)


def test_an_empty_result_of_eden_ai_that_cost_something_is_set_aside() -> None:
    error = fault(EdenAI(), {"mistral": {"status": "success", "generated_text": "", "cost": 0.001}})
    assert isinstance(error, CallRejected)
    assert error.reason == "empty_answer"


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        ({}, Usage(None, None)),
        ({"prompt_tokens": None, "completion_tokens": "nine"}, Usage(None, None)),
        ({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": 10}, Usage(32, 9)),
        ({"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": -1}, Usage(32, 9)),
        ({"prompt_tokens": 32, "total_tokens": 32}, Usage(32, None)),
        ({"total_tokens": 41}, Usage(None, None)),
        ({"prompt_tokens": 32, "completion_tokens": 0, "total_tokens": 544}, Usage(32, 512)),
        (
            {"prompt_tokens": 32, "completion_tokens": 9, "output_tokens_details": {"reasoning_tokens": 3}},
            Usage(32, 9, 3),
        ),
        ({"input_tokens": 2, "output_tokens": 9, "cache_read_input_tokens": 30}, Usage(32, 9)),
        ({"prompt_tokens": 32, "completion_tokens": 9, "cache_read_input_tokens": 30}, Usage(32, 9)),
        ({"prompt_tokens": 32, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": "30"}}, Usage(32, 9)),
    ],
)
def test_usage_is_never_less_than_its_figures_prove(usage: dict[str, Any], found: Usage) -> None:
    assert read_usage(usage) == found
