"""How providers are told of a schema, and what counts as a refusal of it."""

from typing import Any

import pytest

from tasks.base.errors import CallFailed, CallRejected, Transient
from tasks.providers.protocol import Completion, Message, encode
from tasks.providers.structured import is_strict, refuses_format, response_format
from tasks.providers.wires.openai import OpenAI

CLOSED = {"type": "object", "properties": {"b": {}, "a": {}}, "required": ["a", "b"], "additionalProperties": False}


def test_a_schema_is_sent_in_its_own_order_within_a_body_that_is_sorted() -> None:
    form = response_format("json_schema", {"title": "An invoice, of 2026!", **CLOSED})
    _, body = OpenAI().completion(Completion("m", (Message("user", "x"),), 9, response_format=form))
    sent = encode(body)
    assert b'"name":"An_invoice_of_2026","schema":{"title"' in sent
    assert sent.index(b'"b": {}') < sent.index(b'"a": {}')
    assert b'"strict":true' in sent


def test_without_a_format_a_body_has_none() -> None:
    _, body = OpenAI().completion(Completion("m", (Message("user", "x"),), 9))
    assert "response_format" not in body
    assert response_format("json_object", CLOSED) == {"type": "json_object"}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        (CLOSED | {"required": ["a"]}, False),
        (CLOSED | {"additionalProperties": True}, False),
        ({"type": "object"}, False),
        (CLOSED | {"$defs": {"X": {"type": "object", "properties": {}}}}, False),
        (CLOSED | {"properties": {"a": {"enum": [{"type": "object"}]}, "b": {"items": CLOSED}}}, True),
    ],
)
def test_strict_is_what_leaves_nothing_open(schema: Any, *, strict: bool) -> None:
    assert is_strict(schema) is strict


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (CallRejected("http_400", "HTTP 400: response_format is not supported", status=400), True),
        (CallRejected("http_422", "HTTP 422: Invalid JSON Schema for guided decoding", status=422), True),
        (CallRejected("http_400", "HTTP 400: failed to parse grammar", status=400), True),
        (CallRejected("http_400", "HTTP 400: unknown parameter top_k", status=400), False),
        (CallRejected("content_filter", "the filter withheld json_schema", status=200), False),
        (Transient("http_500", "HTTP 500: failed to parse grammar", status=500), True),
        (Transient("http_503", "HTTP 503: the json_schema service is overloaded", status=503), False),
    ],
)
def test_only_words_about_the_format_refuse_it(error: CallFailed, *, refused: bool) -> None:
    assert refuses_format(error) is refused
