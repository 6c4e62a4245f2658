"""DeepInfra: OpenAI's wire; usage carries `estimated_cost` in USD.

Prices in the model list are USD per million tokens; `metadata` may be null.
"""

from collections.abc import Mapping
from typing import Any

from tasks.models.model_lists import Listed
from tasks.providers.numbers import amount, whole
from tasks.providers.wires.openai import OpenAI, entry_id, table


class DeepInfra(OpenAI):
    """DeepInfra's models."""

    def entry(self, entry: Mapping[str, Any]) -> Listed:
        """Return one model of the list."""
        about = table(entry, "metadata")
        prices = table(about, "pricing")
        return Listed(
            entry_id(entry),
            whole(about.get("context_length")),
            whole(about.get("max_tokens")),
            amount(prices.get("input_tokens")),
            amount(prices.get("output_tokens")),
        )


WIRE = DeepInfra()
