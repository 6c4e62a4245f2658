"""Together: OpenAI's wire; base models go through text completions.

Its model list is a bare array with prices in USD per million tokens, and 0 for both where
it doesn't say. No answer tells a cost. A prompt over the window is a 403, a spent limit a 402.
"""

from collections.abc import Mapping
from typing import Any

from tasks.providers.numbers import amount, whole
from tasks.providers.openai import OpenAI, entry_id
from tasks.routing.listed import Listed


class Together(OpenAI):
    """Together's serverless models."""

    def entry(self, entry: Mapping[str, Any]) -> Listed:
        """Return one model of the list."""
        prices = entry.get("pricing")
        prices = prices if isinstance(prices, Mapping) else {}
        price = amount(prices.get("input")), amount(prices.get("output"))
        known = price if any(price) else (None, None)
        kind = str(entry["type"]) if entry.get("type") else None
        return Listed(entry_id(entry), whole(entry.get("context_length")), None, *known, kind)
