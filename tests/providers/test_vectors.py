"""Embeddings on the wire: every provider's request, and answers right and wrong."""

import asyncio
import base64
import json
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from tasks.base.errors import AccountRefused, CallRejected, Overflow, Transient, UserMistake
from tasks.dispatch.client import Client
from tasks.models.catalogue import load_catalogue
from tasks.providers.account import Account
from tasks.providers.protocol import Reply, encode
from tasks.providers.vectors import Embedding, Vectors
from tasks.providers.wires.openai import OpenAI
from tests.providers.counterparts import COST, KEY, Counterparts, playing, vector
from tests.providers.test_counterparts import wire

TEXTS = ("one", "three", "five six")
PROVIDERS = ["openai-compatible", "openrouter", "together", "deepinfra", "monster", "mistral", "edenai", "apipie"]


def asked(parts: Counterparts, provider: str, request: Embedding) -> Vectors:
    account = Account(provider, parts.base(provider), SecretStr(KEY))
    path, body = wire(provider).embedding(request)
    url, raw = account.base_url + path, encode(body)

    async def send() -> Reply:
        async with Client() as client:
            return await client.post(url, account.headers("POST", url, raw), raw, 10)

    found: Vectors = wire(provider).vectors(asyncio.run(send()), len(request.texts))
    return found


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_provider_s_vectors_come_in_the_order_of_the_texts(provider: str) -> None:
    with playing() as parts:
        got = asked(parts, provider, Embedding("some/model", TEXTS))
        assert got.vectors.tolist() == [vector(text) for text in TEXTS]
        assert got.prompt_tokens == (None if provider == "together" else 7)
        assert got.cost == (COST if provider in ("apipie", "edenai") else None)
        (sent,) = parts.sent
        assert sent.body["input"] == list(TEXTS)


def test_the_catalogue_s_embedding_route_is_asked_in_version_3_and_its_old_name_in_version_2() -> None:
    embeddings = [pair for pair in load_catalogue().routes() if pair[0].subtype == "Embedding"]
    ((model, served),) = [pair for pair in embeddings if pair[1].provider != "local"]
    with playing() as parts:
        assert len(asked(parts, served.provider, Embedding(str(served.id), TEXTS)).vectors) == 3
        assert len(asked(parts, served.provider, Embedding(f"v2/mistral/{model.name}", TEXTS)).vectors) == 3
        assert [sent.path for sent in parts.sent] == ["/v3/embeddings", "/v2/text/embeddings"]
        assert parts.sent[1].body["settings"] == {"mistral": "1024__mistral-embed"}


def test_one_text_goes_to_the_aggregator_as_a_string() -> None:
    with playing() as parts:
        assert asked(parts, "apipie", Embedding("m", ("one",), 256)).vectors.shape == (1, 3)
        assert (parts.sent[0].body["input"], parts.sent[0].body["dimensions"]) == ("one", 256)


def body(*embeddings: Any) -> bytes:
    return json.dumps({"data": [{"index": n, "embedding": one} for n, one in enumerate(embeddings)]}).encode()


def test_base64_is_read_as_numbers_are() -> None:
    packed = base64.b64encode(np.array([1.5, -2.0], dtype="<f4").tobytes()).decode()
    got = wire("mistral").vectors(Reply(200, {}, body(packed, [1.5, -2.0])), 2)
    assert got.vectors.tolist() == [[1.5, -2.0], [1.5, -2.0]]


INDICES = (
    b'{"data": [{"index": 0, "embedding": [1.0]}, {"index": #, "embedding": [2.0]}, {"index": 1, "embedding": [3.0]}]}'
)
NO_VECTORS: list[object] = [
    None,
    "x",
    [],
    ["one"],
    [[1.0]],
    {},
    [float("nan"), 1.0],
    [float("inf"), 1.0],
    [1e999, 0.0],
    "AAAA",
    True,
]


@pytest.mark.parametrize("nothing", NO_VECTORS)
def test_a_text_without_a_vector_leaves_its_neighbours_theirs(nothing: object) -> None:
    got = OpenAI().vectors(Reply(200, {}, body([1.0, 2.0], nothing, [3.0, 4.0])), 3)
    assert got.bad == {1}
    assert got.vectors.tolist() == [[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]]


@pytest.mark.parametrize("nothing", NO_VECTORS)
def test_the_only_text_without_a_vector_is_set_aside(nothing: object) -> None:
    with pytest.raises(CallRejected) as failed:
        OpenAI().vectors(Reply(200, {}, body(nothing)), 1)
    assert failed.value.reason == "bad_vectors"
    assert isinstance(failed.value.paid, Vectors)


@pytest.mark.parametrize(
    "wrong",
    [
        body([1.0]),
        body([1.0], [1.0, 2.0]),
        body(None, "x"),
        b'{"data": 5}',
        INDICES.replace(b"#", b"0"),
        INDICES.replace(b"#", b"7"),
    ],
)
def test_what_are_no_vectors_is_asked_again(wrong: bytes) -> None:
    with pytest.raises(Transient):
        wire("openai-compatible").vectors(Reply(200, {}, wrong), 2)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, {"message": "bad key"}, AccountRefused),
        (400, {"message": "Too many tokens in batch. Max is 16384"}, Overflow),
        (429, {"message": "slow down"}, Transient),
    ],
)
def test_a_refusal_means_what_it_means_elsewhere(status: int, error: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        wire("mistral").vectors(Reply(status, {}, json.dumps({"error": error}).encode()), 1)


def test_bedrock_isn_t_asked_for_embeddings() -> None:
    with pytest.raises(UserMistake):
        wire("bedrock").embedding(Embedding("amazon.titan", TEXTS))
