"""DeepInfra: OpenAI's wire; usage carries `estimated_cost` in USD.

Prices in the model list are USD per million tokens; `metadata` may be null.
"""

from collections.abc import Mapping
from typing import Any

from tasks.providers.numbers import amount, whole
from tasks.providers.openai import OpenAI, entry_id
from tasks.routing.listed import Listed


class DeepInfra(OpenAI):
    """DeepInfra's models."""

    def entry(self, entry: Mapping[str, Any]) -> Listed:
        """Return one model of the list."""
        about = entry.get("metadata")
        about = about if isinstance(about, Mapping) else {}
        prices = about.get("pricing")
        prices = prices if isinstance(prices, Mapping) else {}
        return Listed(
            entry_id(entry),
            whole(about.get("context_length")),
            whole(about.get("max_tokens")),
            amount(prices.get("input_tokens")),
            amount(prices.get("output_tokens")),
        )
