"""Eden AI: version 3 is OpenAI's wire with models named `provider/model`; version 2 is its own.

Ids that begin with `v2/` (v2/mistral/tiny) go through version 2, for models that only it
has: text and history in, one result a provider out, whose key may be `mistral` or
`mistral/tiny`. A provider's failure comes in the body of a 200. No usage; cost at the top.
"""

import re
from collections.abc import Mapping
from typing import Any

from tasks.base.errors import Overflow, UserMistake
from tasks.models.model_lists import Listed
from tasks.providers.http_errors import error_in, failure, message_of
from tasks.providers.numbers import amount, per_million
from tasks.providers.protocol import Answer, Completion, Reply
from tasks.providers.refusals import means
from tasks.providers.unusable import fault_in, text_of
from tasks.providers.vectors import Embedding, Vectors, read_vectors
from tasks.providers.wires.openai import OpenAI, decoded, entry_id, table

V2 = "v2/"
A_RATE = re.compile(r"per (second|minute|hour|day)|rate.?limit|429|try again|wait", re.IGNORECASE)


class EdenAI(OpenAI):
    """The aggregator, both versions."""

    models_path: str | None = "/v3/models"
    streams = False

    def completion(self, request: Completion) -> tuple[str, dict[str, Any]]:
        """Return a completion's path and body, in the version that has the model."""
        if request.model.startswith(V2):
            return "/v2/text/chat", _version_2(request)
        path, body = self.chat(request)
        return f"/v3{path}", body

    def embedding(self, request: Embedding) -> tuple[str, dict[str, Any]]:
        """Return the path and body that ask for embeddings, in the version that has the model."""
        if not request.model.startswith(V2):
            path, body = super().embedding(request)
            return f"/v3{path}", body
        provider, model = _named(request.model)
        texts = list(request.texts)
        return "/v2/text/embeddings", {"providers": provider, "settings": {provider: model}, "texts": texts}

    def vectors(self, reply: Reply, count: int | None) -> Vectors:
        """Return the vectors of either version's answer."""
        body = decoded(reply)
        if reply.status >= 300 or "data" in body or error_in(body) is not None:
            return super().vectors(reply, count)
        result = next((value for value in body.values() if isinstance(value, Mapping)), {})
        if result.get("status") == "fail" or result.get("error"):
            raise _failed(result, reply)
        items = result.get("items")
        records = [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
        return read_vectors(records, count, None, amount(result.get("cost")))

    def answer(self, reply: Reply) -> Answer:
        """Return the answer of either version."""
        body = decoded(reply)
        if reply.status < 300 and "choices" not in body and error_in(body) is None:
            return _result(body, reply)
        return super().answer(reply)

    def entry(self, entry: Mapping[str, Any]) -> Listed:
        """Return one model of version 3's list; its prices are USD a token."""
        listed = super().entry(entry)
        prices = table(entry, "pricing")
        return Listed(
            entry_id(entry),
            listed.context,
            None,
            per_million(prices.get("input_cost_per_token")),
            per_million(prices.get("output_cost_per_token")),
        )


def _named(model: str) -> tuple[str, str]:
    """Return the provider and model of version 2's ids. Raises UserMistake for another."""
    parts = model.split("/", 2)
    if len(parts) < 3 or not all(parts):
        raise UserMistake(f"edenai's version 2 has no model {model!r}: give v2/PROVIDER/MODEL, as in v2/mistral/tiny")
    return parts[1], parts[2]


def _version_2(request: Completion) -> dict[str, Any]:
    provider, model = _named(request.model)
    *history, last = request.messages
    return {
        "providers": provider,
        "settings": {provider: model},
        "text": last.content,
        "chatbot_global_action": "",
        "previous_history": [{"role": turn.role, "message": turn.content} for turn in history],
        "max_tokens": request.max_tokens,
        "temperature": 0.0,
        **request.extras,
    }


def _result(body: Mapping[str, Any], reply: Reply) -> Answer:
    """Return the one result of version 2's answer, whatever its key."""
    result = next((value for value in body.values() if isinstance(value, Mapping)), {})
    if result.get("status") == "fail" or result.get("error"):
        raise _failed(result, reply)
    answer = Answer(text_of(result.get("generated_text")), None, None, None, amount(result.get("cost")), None)
    fault = fault_in({}, answer)
    if fault is not None:
        raise fault
    return answer


def _failed(result: Mapping[str, Any], reply: Reply) -> Exception:
    error = result.get("error")
    said = message_of(error) or "the provider failed and doesn't say why"
    if means(said, "too_long") and not A_RATE.search(said):
        return Overflow("context_overflow", said, status=reply.status)
    return failure(Reply(200, reply.headers, reply.body), error or said)


WIRE = EdenAI()
