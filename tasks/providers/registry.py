"""Which module speaks with which provider."""

from tasks.providers.protocol import Wire
from tasks.providers.wires.apipie import APIpie
from tasks.providers.wires.bedrock import Bedrock
from tasks.providers.wires.deepinfra import DeepInfra
from tasks.providers.wires.edenai import EdenAI
from tasks.providers.wires.mistral import Mistral
from tasks.providers.wires.monster import Monster
from tasks.providers.wires.openai import OpenAI
from tasks.providers.wires.openrouter import OpenRouter
from tasks.providers.wires.together import Together

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
