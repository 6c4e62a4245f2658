"""OpenRouter: OpenAI's wire over many hosts; usage carries the cost in USD.

A host that fails while it generates comes as HTTP 200 with an `error` in the body, or as
a choice whose finish reason is `error`. Prices are strings, USD a token; -1 is a price
that depends, which is unknown.
"""

import re
from collections.abc import Mapping
from typing import Any

from tasks.base.errors import AccountRefused, CallRejected
from tasks.models.model_lists import Listed
from tasks.providers.numbers import amount, per_million, whole
from tasks.providers.protocol import Answer, Reply
from tasks.providers.wires.openai import OpenAI, entry_id, table

# What it offers for nothing has a name that ends so.
FREE = ":free"
FLAGGED = re.compile(r"moderation|flagged", re.IGNORECASE)


class OpenRouter(OpenAI):
    """The aggregator of hosts."""

    def answer(self, reply: Reply) -> Answer:
        """Return the answer in a reply; a prompt that moderation flags is no fault of the account's."""
        try:
            return super().answer(reply)
        except AccountRefused as error:
            if reply.status == 403 and FLAGGED.search(str(error)):
                raise CallRejected("content_filter", str(error), status=403) from error
            raise

    def entry(self, entry: Mapping[str, Any]) -> Listed:
        """Return one model of the list; the window is the smaller of the model's and its first host's."""
        host, prices = table(entry, "top_provider"), table(entry, "pricing")
        # A fee for each request isn't a price of tokens: then that isn't known.
        prices = {} if amount(prices.get("request")) else prices
        windows = [whole(entry.get("context_length")), whole(host.get("context_length"))]
        return Listed(
            entry_id(entry),
            min((window for window in windows if window), default=None),
            whole(host.get("max_completion_tokens")),
            per_million(prices.get("prompt")),
            per_million(prices.get("completion")),
            is_free=entry_id(entry).endswith(FREE),
        )


WIRE = OpenRouter()
