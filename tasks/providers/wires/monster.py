"""MonsterAPI: OpenAI's wire; its model list lies at /models/info."""

from tasks.providers.wires.openai import OpenAI


class Monster(OpenAI):
    """MonsterAPI's models."""

    models_path: str | None = "/models/info"
    streams = False


WIRE = Monster()
