"""Which module speaks with which provider."""

from tasks.errors import UserMistake
from tasks.providers.apipie import APIpie
from tasks.providers.openai import OpenAI
from tasks.providers.wire import Wire

# llama.cpp's server, which the local model runs in, speaks OpenAI's wire too.
WIRES: dict[str, type[Wire]] = {"openai": OpenAI, "local": OpenAI, "apipie": APIpie}


def wire_of(provider: str, wire: str) -> Wire:
    """Return the wire of a provider. Raises UserMistake for one not spoken to yet."""
    if wire not in WIRES:
        raise UserMistake(
            f"{provider} isn't spoken to directly yet: reach it through --provider apipie@{provider}, "
            "or through --provider openai-compatible with its URL in OPENAI_BASE_URL"
        )
    return WIRES[wire]()
