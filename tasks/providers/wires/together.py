"""Together: OpenAI's wire; base models go through text completions.

Its model list is a bare array with prices in USD per million tokens, and 0 for both where
it doesn't say. No answer tells a cost. A prompt over the window is a 403, a spent limit a 402.
"""

import re
from collections.abc import Mapping
from typing import Any

from tasks.base.errors import AccountRefused, Overflow
from tasks.models.model_lists import Listed
from tasks.providers.numbers import amount, whole
from tasks.providers.protocol import Answer, Reply
from tasks.providers.wires.openai import OpenAI, entry_id, table

ABOUT_THE_ACCOUNT = re.compile(r"key|credit|billing|permission|auth|forbidden|account|access|balance", re.IGNORECASE)


class Together(OpenAI):
    """Together's serverless models."""

    def answer(self, reply: Reply) -> Answer:
        """Return the answer in a reply; a 403 is about the window, unless its words are about the account."""
        try:
            return super().answer(reply)
        except AccountRefused as error:
            if reply.status == 403 and not ABOUT_THE_ACCOUNT.search(reply.body.decode("utf-8", "replace")):
                raise Overflow("context_overflow", str(error), status=403) from error
            raise

    def entry(self, entry: Mapping[str, Any]) -> Listed:
        """Return one model of the list."""
        prices = table(entry, "pricing")
        price = amount(prices.get("input")), amount(prices.get("output"))
        known = price if any(price) else (None, None)
        kind = str(entry["type"]) if entry.get("type") else None
        return Listed(entry_id(entry), whole(entry.get("context_length")), None, *known, kind)


WIRE = Together()
