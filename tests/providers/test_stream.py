"""A stream is gathered into the answer that comes without one, wherever its bytes are cut."""

import json
from typing import Any

import pytest

from tasks.base.errors import DocmillError
from tasks.providers.protocol import Answer, Reply
from tasks.providers.streaming import Gathering
from tasks.providers.wires.mistral import Mistral
from tasks.providers.wires.openai import OpenAI

EVENTS = {"content-type": "text/event-stream; charset=utf-8"}


def stream(*events: dict[str, Any]) -> bytes:
    return (
        b": a comment\n\n" + b"".join(f"data: {json.dumps(one)}\r\n\r\n".encode() for one in events) + b"data: [DONE]"
    )


def delta(**words: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": words}]}


WHOLE = stream(
    delta(role="assistant", content=""),
    delta(content="Réady "),
    delta(content="now."),
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}, "provider": "Somebody"},
)


@pytest.mark.parametrize("size", [1, 3, 10, 10_000])
def test_the_answer_is_the_same_wherever_its_bytes_are_cut(size: int) -> None:
    gathering = Gathering()
    for start in range(0, len(WHOLE), size):
        gathering.feed(WHOLE[start : start + size])
    answer = OpenAI().answer(gathering.reply(Reply(200, EVENTS, WHOLE)))
    assert answer == Answer("Réady now.", "stop", 7, 3, None, "Somebody")


@pytest.mark.parametrize(
    ("event", "begun"),
    [
        (delta(role="assistant", content=""), False),
        (delta(content="A"), True),
        (delta(reasoning_content="Let me see"), True),
        ({"choices": [{"text": "A"}]}, True),
        ({"choices": []}, False),
        ({"usage": None}, False),
    ],
)
def test_the_first_token_is_the_first_that_holds_something(event: dict[str, Any], begun: bool) -> None:  # noqa: FBT001
    gathering = Gathering()
    gathering.feed(stream(event))
    assert gathering.has_begun == begun


def test_an_error_in_a_stream_is_that_of_the_provider() -> None:
    gathering = Gathering()
    body = stream({"error": {"code": 503, "message": "the host failed"}})
    gathering.feed(body)
    with pytest.raises(DocmillError, match="the host failed"):
        OpenAI().answer(gathering.reply(Reply(200, EVENTS, body)))


def test_a_server_that_does_not_stream_is_taken_at_its_word() -> None:
    reply = Reply(200, {"content-type": "application/json"}, b"{}")
    assert Gathering().reply(reply) is reply


def test_mistral_is_not_asked_for_the_usage() -> None:
    assert Mistral().streamed({"a": 1}) == {"a": 1, "stream": True}
    assert OpenAI().streamed({})["stream_options"] == {"include_usage": True}
