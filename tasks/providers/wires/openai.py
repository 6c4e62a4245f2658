"""The OpenAI-compatible wire: /chat/completions, /models and their many dialects."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from tasks.base.errors import CallRejected, Transient
from tasks.models.model_lists import Listed
from tasks.providers.http_errors import error_in, failure
from tasks.providers.numbers import amount, whole
from tasks.providers.protocol import Answer, Completion, Reply, TokenProbability
from tasks.providers.thoughts import answer_of
from tasks.providers.unusable import fault_in, is_counted, text_of
from tasks.providers.usage import read_usage
from tasks.providers.vectors import Embedding, Vectors, read_vectors

# Where servers tell a model's window: vLLM, OpenRouter and Together, Mistral, Monster, llama.cpp.
WINDOW_KEYS = (
    "max_model_len", "context_length", "max_context_length", "maximum_context_length", "context_window", "max_tokens",
)  # fmt: skip


class OpenAI:
    """Any server that speaks OpenAI's chat completions."""

    models_path: str | None = "/models"
    streams = True

    def completion(self, request: Completion) -> tuple[str, dict[str, Any]]:
        """Return a chat completion's path and body; a base model's is a text completion."""
        if request.base_model:
            return "/completions", {"prompt": request.messages[0].content, **_parameters(request)}
        return self.chat(request)

    def embedding(self, request: Embedding) -> tuple[str, dict[str, Any]]:
        """Return the path and body that ask for texts' embeddings."""
        body: dict[str, Any] = {"model": request.model, "input": list(request.texts)}
        body |= {"dimensions": request.dimensions} if request.dimensions else {}
        return "/embeddings", body | ({"encoding_format": "base64"} if request.base64 else {})

    def vectors(self, reply: Reply, count: int | None) -> Vectors:
        """Return the vectors of so many texts. Raises as `answer` does, and Transient for what aren't vectors."""
        body = decoded(reply)
        error = error_in(body) if "data" not in body else body.get("error")
        if error is not None or reply.status >= 300:
            raise failure(reply, error)
        usage = table(body, "usage")
        listed = body.get("data")
        records = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        return read_vectors(records, count, read_usage(usage).prompt_tokens, self.cost(body, usage))

    def streamed(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the body of a completion that is to come token by token, its usage with it."""
        return {**body, "stream": True, "stream_options": {"include_usage": True}}

    def chat(self, request: Completion) -> tuple[str, dict[str, Any]]:
        """Return a chat completion's path and body."""
        turns = [{"role": turn.role, "content": turn.content} for turn in request.messages]
        return "/chat/completions", {"messages": turns, **_parameters(request)}

    def answer(self, reply: Reply) -> Answer:
        """Return the first choice, with usage and cost as they come."""
        body = decoded(reply)
        error = error_in(body)
        if error is not None or reply.status >= 300:
            raise failure(reply, error)
        usage = read_usage(table(body, "usage"))
        cost, served_by = self.cost(body, table(body, "usage")), body.get("provider")
        choice = _first_choice(body)
        finish, message = choice.get("finish_reason"), table(choice, "message")
        raw = text_of(message.get("content") if message else choice.get("text"))
        text = answer_of(raw)
        answer = Answer(
            text if text == raw else text.lstrip(),
            finish if isinstance(finish, str) else None,
            usage.prompt_tokens,
            usage.completion_tokens,
            cost,
            served_by if isinstance(served_by, str) else None,
            tuple(_tokens(choice)),
        )
        if not choice and not is_counted(answer):
            raise Transient("empty_choices", "an answer without choices", status=reply.status)
        thoughts_only = bool(raw.strip()) and not answer.text.strip()
        fault = fault_in(message, answer, reasoned=thoughts_only or usage.reasoning_tokens > 0)
        if fault is not None:
            raise fault
        return answer

    def cost(self, body: Mapping[str, Any], usage: Mapping[str, Any]) -> float | None:
        """Return the cost in USD: usage.cost, usage.estimated_cost, or the body's own, number or string."""
        for value in (usage.get("cost"), usage.get("estimated_cost"), body.get("cost")):
            cost = amount(value)
            if cost is not None:
                return cost
        return None

    def listed(self, models: Reply) -> list[Listed]:
        """Return the models of a list, a bare array or not."""
        return [self.entry(entry) for entry in model_entries(models) if entry_id(entry)]

    def entry(self, entry: Mapping[str, Any]) -> Listed:
        """Return one model of a list, with the smallest window that it tells."""
        told = [whole(entry.get(key)) for key in WINDOW_KEYS] + [whole(table(entry, "meta").get("n_ctx"))]
        return Listed(entry_id(entry), min((number for number in told if number), default=None))


def _parameters(request: Completion) -> dict[str, Any]:
    stop = {"stop": [request.stop]} if request.stop else {}
    form = {"response_format": request.response_format} if request.response_format else {}
    told = {"logprobs": request.logprobs} if request.logprobs is not None else {}
    settings = {"model": request.model, "max_tokens": request.max_tokens, "temperature": 0.0}
    return {**settings, **stop, **form, **told, **request.extras}


def _tokens(choice: Mapping[str, Any]) -> Iterator[TokenProbability]:
    """Yield the tokens of a choice with their probabilities, where it tells any, up to one that can't be read."""
    content = table(choice, "logprobs").get("content")
    for one in content if isinstance(content, list) else ():
        told = one if isinstance(one, dict) else {}
        logarithm, raw, token = told.get("logprob"), told.get("bytes"), told.get("token")
        if not isinstance(logarithm, int | float) or not math.isfinite(logarithm) or not isinstance(token, str):
            return
        data = bytes(raw) if isinstance(raw, list) and all(_is_byte(number) for number in raw) else token.encode()
        yield TokenProbability(data, logarithm)


def _is_byte(number: object) -> bool:
    return isinstance(number, int) and 0 <= number < 256


def decoded(reply: Reply) -> Any:
    """Return the JSON of a reply; an APIpie array of answers counts as its first.

    Raises Transient with reason `not_json`, or the status' own error, for HTML and
    other things that aren't.
    """
    try:
        body = _loaded(reply.body)
    except (ValueError, RecursionError):
        error = failure(reply) if reply.status >= 300 else None
        if error is not None and not isinstance(error, CallRejected):
            raise error from None
        # No provider refuses one request in HTML: this isn't an API at all.
        kind = "HTML" if b"<" in reply.body[:100] else "something that isn't JSON"
        message = f"the server answered {kind} (HTTP {reply.status}): is the base URL right?"
        raise Transient("not_json", message, status=reply.status) from None
    if isinstance(body, list) and body and isinstance(body[0], dict):
        return body[0]
    if not isinstance(body, dict):
        raise Transient("not_json", "the server answered JSON that is no object", status=reply.status)
    return body


def _loaded(body: bytes) -> Any:
    """Read JSON; json takes what orjson is too strict for, as NaN."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)


def model_entries(models: Reply) -> Sequence[Mapping[str, Any]]:
    """Return the records of a model list: a bare array, or one under `data` or `models`."""
    try:
        body = json.loads(models.body)
    except (ValueError, RecursionError):
        return []
    if isinstance(body, dict):
        body = body.get("data") or body.get("models") or []
    return [entry for entry in body if isinstance(entry, dict)] if isinstance(body, list) else []


def table(entry: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a record's table; empty where there is none, or something else."""
    value = entry.get(key)
    return value if isinstance(value, Mapping) else {}


def entry_id(entry: Mapping[str, Any]) -> str:
    """Return the id of a model list's record, however it is called."""
    return str(entry.get("id") or entry.get("model") or entry.get("route") or "")


def _first_choice(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the first choice; empty where there is none."""
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else {}


WIRE = OpenAI()
