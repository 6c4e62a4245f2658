"""Which module speaks with which provider."""

from tasks.providers.apipie import APIpie
from tasks.providers.bedrock import Bedrock
from tasks.providers.deepinfra import DeepInfra
from tasks.providers.edenai import EdenAI
from tasks.providers.mistral import Mistral
from tasks.providers.monster import Monster
from tasks.providers.openai import OpenAI
from tasks.providers.openrouter import OpenRouter
from tasks.providers.protocol import Wire
from tasks.providers.together import Together

# llama.cpp's server, which the local model runs in, speaks OpenAI's wire too.
WIRES: dict[str, type[Wire]] = {
    "openai": OpenAI,
    "local": OpenAI,
    "apipie": APIpie,
    "openrouter": OpenRouter,
    "together": Together,
    "deepinfra": DeepInfra,
    "bedrock": Bedrock,
    "edenai": EdenAI,
    "monster": Monster,
    "mistral": Mistral,
}


def wire_of(wire: str) -> Wire:
    """Return the wire of that name, as `data/providers.toml` gives it to a provider."""
    return WIRES[wire]()
