import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.models.catalogue import load_catalogue
from tasks.providers.protocol import Completion, Message, call_id, encode
from tasks.providers.registry import wire_names, wire_of
from tasks.providers.wires.apipie import APIpie
from tasks.providers.wires.openai import OpenAI

REQUEST = Completion(
    "mistral-large",
    (Message("system", "Be brief."), Message("user", "Summarize: \u543e\u8f29\u306f\u732b")),
    max_tokens=512,
)
# Not a number, and infinity, are no JSON: the catalogue refuses them in `extras`.
BODIES = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=6,
)
PLACE = ("openai-compatible", "http://127.0.0.1:8000/v1", "/chat/completions")


def shuffled(value: Any) -> Any:
    """The same JSON with its keys in the other order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


def test_a_completion_is_openais_chat_completion() -> None:
    path, body = OpenAI().completion(REQUEST)
    assert path == "/chat/completions"
    assert body == {
        "model": "mistral-large",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Summarize: \u543e\u8f29\u306f\u732b"},
        ],
        "max_tokens": 512,
        "temperature": 0.0,
    }


def test_a_providers_extras_go_into_the_body_and_come_first() -> None:
    _, body = OpenAI().completion(replace(REQUEST, extras={"seed": 1, "temperature": 0.2}))
    assert (body["seed"], body["temperature"]) == (1, 0.2)


def test_the_openai_wire_knows_no_upstream_and_no_routing() -> None:
    _, body = OpenAI().completion(replace(REQUEST, upstream="bedrock"))
    assert not {"provider", "routing"} & body.keys()


def test_apipie_is_told_the_upstream_and_then_no_routing() -> None:
    _, body = APIpie().completion(replace(REQUEST, upstream="bedrock", routing="perf"))
    assert body["provider"] == "bedrock"
    assert "routing" not in body


@pytest.mark.parametrize(("routing", "spelt"), [("price", "price"), ("perf", "perf"), ("perf-avg", "perf_avg")])
def test_apipie_without_an_upstream_is_told_how_to_route(routing: str, spelt: str) -> None:
    path, body = APIpie().completion(replace(REQUEST, routing=routing))
    assert path == "/chat/completions"
    assert body["routing"] == spelt
    assert "provider" not in body


@settings(deadline=None, max_examples=100)
@given(body=BODIES)
def test_the_same_body_is_always_the_same_bytes(body: dict[str, Any]) -> None:
    assert encode(body) == encode(shuffled(body))
    assert json.loads(encode(body)) == body


@settings(deadline=None, max_examples=100)
@given(body=BODIES, other=BODIES)
def test_different_bodies_are_different_bytes(body: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(body, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (encode(body) == encode(other)) is same


def test_a_body_is_compact_utf8() -> None:
    assert encode({"b": 1, "a": "\u732b"}) == '{"a":"\u732b","b":1}'.encode()


@settings(deadline=None, max_examples=100)
@given(parts=st.tuples(st.text(max_size=9), st.text(max_size=9), st.text(max_size=9), st.binary(max_size=9)))
def test_a_call_id_changes_with_any_part(parts: tuple[str, str, str, bytes]) -> None:
    provider, base_url, path, body = parts
    own = call_id(*parts)
    others = {
        call_id(provider + "x", base_url, path, body),
        call_id(provider, base_url + "x", path, body),
        call_id(provider, base_url, path + "x", body),
        call_id(provider, base_url, path, body + b"x"),
    }
    assert own == call_id(*parts)
    assert len({own, *others}) == 5
    assert len(own) == 64


@settings(deadline=None, max_examples=100)
@given(text=st.text(max_size=20), cut=st.integers(0, 20), other=st.integers(0, 20))
def test_a_call_id_knows_where_one_part_ends_and_the_next_begins(text: str, cut: int, other: int) -> None:
    def split_at(place: int) -> str:
        return call_id("p", text[:place], text[place:], b"")

    assert (split_at(cut) == split_at(other)) is (text[:cut] == text[:other])


@pytest.mark.parametrize(
    "other",
    [
        replace(REQUEST, model="mistral-small"),
        replace(REQUEST, max_tokens=513),
        replace(REQUEST, messages=REQUEST.messages[:1]),
        replace(REQUEST, messages=(Message("user", "Be brief."), REQUEST.messages[1])),
        replace(REQUEST, messages=REQUEST.messages[::-1]),
        replace(REQUEST, upstream="bedrock"),
        replace(REQUEST, routing="perf"),
        replace(REQUEST, extras={"seed": 2}),
    ],
    ids=["model", "max_tokens", "messages", "role", "order", "upstream", "routing", "extras"],
)
def test_another_request_is_another_call(other: Completion) -> None:
    def identity(request: Completion) -> str:
        return call_id(*PLACE, encode(APIpie().completion(request)[1]))

    assert identity(REQUEST) == identity(replace(REQUEST))
    assert identity(REQUEST) != identity(other)


def test_every_provider_of_the_catalogue_is_spoken_to() -> None:
    named = {provider.wire for provider in load_catalogue().providers}
    assert named == set(wire_names())
    assert len({type(wire_of(name)) for name in named}) == len(named)
