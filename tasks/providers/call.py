"""One request, ready to send: the same for completions, embeddings and probes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tasks.providers.account import Account
from tasks.providers.protocol import call_id, encode

# The fields of a body that ask for a format, of the answer or of vectors.
RESPONSE_FORMAT, ENCODING_FORMAT = "response_format", "encoding_format"


class Call(NamedTuple):
    """One request, ready to send, and the tokens it may take; `format` is the field that asks for a format, if any.

    `is_bound`: its prompt has no more tokens than that, but they weren't counted.
    """

    call_id: str
    path: str
    body: bytes
    prompt_tokens: int
    max_tokens: int
    format: str | None = None
    inputs: int = 0  # texts to embed; none of a completion
    is_bound: bool = False

    @property
    def seconds(self) -> float:
        """The most an exchange may take: slow models read 50 and write 5 tokens a second."""
        return 60 + self.prompt_tokens / 50 + self.max_tokens / 5


def build_call(
    account: Account,
    asked: tuple[str, Mapping[str, Any]],
    *,
    prompt_tokens: int,
    max_tokens: int,
    inputs: int = 0,
    is_bound: bool = False,
) -> Call:
    """Return the call that asks an account for the path and the body that its wire made of a request."""
    path, body = asked
    encoded = encode(body)
    identity = call_id(account.provider, account.endpoint, path, encoded)
    form = next((field for field in (RESPONSE_FORMAT, ENCODING_FORMAT) if field in body), None)
    return Call(identity, path, encoded, prompt_tokens, max_tokens, form, inputs, is_bound)
