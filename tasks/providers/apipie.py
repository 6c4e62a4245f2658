"""APIpie: OpenAI's wire with a provider and a routing field, over many providers.

Without `provider` APIpie chooses by itself, by `routing`: `price`, or `perf` for
the lowest latency at this prompt's size. Its usage carries the cost, a number or
a string, and the answer's top level says who served it.
"""

from typing import Any

from tasks.providers.openai import OpenAI
from tasks.providers.wire import Completion

# The documentation spells the third one both ways; this is its examples' way.
SPELLINGS = {"price": "price", "perf": "perf", "perf-avg": "perf_avg"}


class APIpie(OpenAI):
    """The aggregator."""

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
