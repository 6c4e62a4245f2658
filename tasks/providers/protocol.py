"""The interface of every provider module, and the types that it takes and returns.

A provider is a small module with a class that follows `Wire`: it turns our
request into a path and a JSON body, and a reply back into an Answer or one of
our errors. It sends nothing itself. It lies in `wires/`, and `data/providers.toml` names it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal, NamedTuple, Protocol

import orjson

from tasks.models.model_lists import Listed
from tasks.providers.vectors import Embedding, Vectors

# hashlib releases Python's lock for more bytes than this, and getting it back from
# busy threads costs more than hashing a chunk.
UNLOCKED = 2047
# The finish reasons of an answer that reached its largest number of tokens.
CUT = frozenset({"length", "max_tokens", "model_length", "MAX_TOKENS"})
Role = Literal["system", "user", "assistant"]


class Message(NamedTuple):
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Completion:
    """A completion to ask for: `model` is the provider's own id; `stop` ends the answer where it comes up.

    A base model is given one message, to be written on rather than answered. `response_format`
    is OpenAI's, `logprobs` what asks a provider for the tokens' probabilities; wires that have none leave them out.
    """

    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    upstream: str | None = None
    routing: str = "price"
    extras: Mapping[str, Any] = field(default_factory=dict)
    stop: str | None = None
    base_model: bool = False
    response_format: Mapping[str, Any] | None = None
    logprobs: bool | int | None = None


class Verbatim:
    """A part of a body that is sent as it stands, its keys in their own order."""

    def __init__(self, text: str) -> None:
        self.json = text


class Reply(NamedTuple):
    """An HTTP reply, raw; header names are looked up in lower case, whatever the server wrote."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class TokenProbability(NamedTuple):
    """One token of an answer, as bytes, since it may be part of a character, and the logarithm of its probability."""

    data: bytes
    logarithm: float


class Answer(NamedTuple):
    """A paid answer, parsed. Counts and cost (USD) are the provider's own, or None; `tokens` come where asked for."""

    text: str
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost: float | None
    served_by: str | None
    tokens: tuple[TokenProbability, ...] = ()


class Wire(Protocol):
    """The protocol of one kind of provider.

    `models_path` is the path of its model list, if it has one; `streams`: answers may come token by token, as OpenAI's.
    """

    models_path: str | None
    streams: bool

    def completion(self, request: Completion) -> tuple[str, dict[str, Any]]:
        """Return the path below the base URL and the JSON body of a request."""
        ...

    def streamed(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the body of a completion that is to come token by token."""
        ...

    def answer(self, reply: Reply) -> Answer:
        """Return the answer in a reply, whatever its status.

        Raises CallFailed or RouteUnavailable (tasks/errors) for anything that isn't one.
        """
        ...

    def embedding(self, request: Embedding) -> tuple[str, dict[str, Any]]:
        """Return the path and the body that ask for embeddings."""
        ...

    def vectors(self, reply: Reply, count: int | None) -> Vectors:
        """Return the vectors in a reply to a request of `count` texts; raises as `answer` does."""
        ...

    def listed(self, models: Reply) -> list[Listed]:
        """Return the models of a model list; empty where it can't be read."""
        ...


def encode(body: Mapping[str, Any]) -> bytes:
    """Return the canonical JSON of a body: the same request is always the same bytes."""
    try:
        return orjson.dumps(body, _fragment, orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # half a surrogate pair, in the user's own prompt
        text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=_parsed)
        return text.encode("utf-8", "replace")


def _fragment(part: Verbatim) -> orjson.Fragment:
    return orjson.Fragment(part.json.encode("utf-8", "replace"))


def _parsed(part: Verbatim) -> Any:
    return json.loads(part.json)


def call_id(provider: str, base_url: str, path: str, body: bytes) -> str:
    """Return the identity of a request, which depends on prompt, model, parameters, provider and base URL."""
    digest = sha256()
    for part in (provider.encode(), base_url.encode(), path.encode(), body):
        digest.update(len(part).to_bytes(8, "big"))
        for start in range(0, len(part), UNLOCKED):
            digest.update(part[start : start + UNLOCKED])
    return digest.hexdigest()
