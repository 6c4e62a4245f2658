"""Mistral's own platform: OpenAI's wire. Its model list tells windows, no prices and no answer limits.

A 429 with code 3505 (service_tier_capacity_exceeded) is a shortage of machines, which takes
longer to pass than a rate limit (code 1300).
"""

from typing import Any

from tasks.base.errors import Transient
from tasks.providers.protocol import Answer, Reply
from tasks.providers.wires.openai import OpenAI

CAPACITY = ("3505", "service_tier_capacity_exceeded")
CAPACITY_SECONDS = 30.0


class Mistral(OpenAI):
    """La Plateforme."""

    def streamed(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the body of a streamed request: Mistral always sends the usage, and refuses the option for it."""
        return {**body, "stream": True}

    def answer(self, reply: Reply) -> Answer:
        """Return the answer in a reply; a shortage of machines is waited for."""
        try:
            return super().answer(reply)
        except Transient as error:
            if error.status == 429 and error.retry_after is None and any(word in str(error) for word in CAPACITY):
                error.retry_after = CAPACITY_SECONDS
            raise


WIRE = Mistral()
