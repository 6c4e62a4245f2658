"""APIpie: OpenAI's wire with a provider and a routing field, over many providers.

Without `provider` APIpie chooses by itself, by `routing`: `price`, or `perf` for
the lowest latency at this prompt's size. `provider` "pool" with a pool's name as the
model fails over among similar models. `integrity` 12 or 13 asks the model two or three
times and votes. Its usage carries the cost, a number or a string, and the answer's top
level says who served it.
"""

from collections.abc import Mapping
from typing import Any

from tasks.models.model_lists import Listed
from tasks.providers.numbers import amount, per_million, whole
from tasks.providers.protocol import Completion
from tasks.providers.vectors import Embedding
from tasks.providers.wires.openai import OpenAI

# The documentation spells the third one both ways; this is its examples' way.
SPELLINGS = {"price": "price", "perf": "perf", "perf-avg": "perf_avg"}


class APIpie(OpenAI):
    """The aggregator."""

    streams = False

    def completion(self, request: Completion) -> tuple[str, dict[str, Any]]:
        """Return a chat completion's path and body, pinned to an upstream or routed by APIpie.

        It has no text completions: a base model gets its prompt as a message.
        """
        path, body = self.chat(request)
        if request.upstream:
            body["provider"] = request.upstream
        else:
            body["routing"] = SPELLINGS[request.routing]
        return path, body

    def embedding(self, request: Embedding) -> tuple[str, dict[str, Any]]:
        """Return the path and body that ask for an embedding: one text alone goes as a string, as is documented."""
        path, body = super().embedding(request)
        body |= {"provider": request.upstream} if request.upstream else {}
        return path, body | ({"input": request.texts[0]} if len(request.texts) == 1 else {})

    def entry(self, entry: Mapping[str, Any]) -> Listed:
        """Return one (model, provider) of the list.

        A price is that of `price_unit` units of `price_type`: of another type than
        tokens it is unknown here.
        """
        units = amount(entry.get("price_unit")) if str(entry.get("price_type", "")).startswith("token") else None
        kind = entry.get("subtype") or entry.get("type")
        return Listed(
            str(entry.get("model") or entry.get("id") or entry.get("route") or ""),
            whole(entry.get("max_tokens")) or super().entry(entry).context,
            whole(entry.get("max_response_tokens")),
            per_million(entry.get("req_price"), units) if units else None,
            per_million(entry.get("res_price"), units) if units else None,
            str(kind) if kind else None,
            _available(entry),
            str(entry["provider"]).lower() if entry.get("provider") else None,
            _latency(entry.get("latency")),
        )


def _available(entry: Mapping[str, Any]) -> bool | None:
    told = [str(entry[key]) in ("1", "True", "true") for key in ("enabled", "available") if entry.get(key) is not None]
    return all(told) if told else None


def _latency(value: object) -> tuple[float | None, ...]:
    """Read six averages in ms, joined by slashes: by prompt size, then over all."""
    parts = str(value).split("/") if isinstance(value, str) else []
    numbers = [amount(part) for part in parts]
    return tuple(number / 1000 if number else None for number in numbers)


WIRE = APIpie()
