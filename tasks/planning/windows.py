"""Find the context window of a model: from its server's model list, llama.cpp's /props, or the model's file."""

import asyncio
import json
from pathlib import Path

from tasks.base.errors import CallFailed, RouteUnavailable, UserMistake
from tasks.base.settings import Settings
from tasks.chunking.gguf import trained_context
from tasks.dispatch.client import Client
from tasks.models.candidates import COMPATIBLE, Candidate
from tasks.providers.account import Account
from tasks.providers.protocol import Reply
from tasks.providers.registry import wire_of
from tasks.providers.wires.openai import model_entries

ASK_SECONDS = 10.0
LISTED = 12


def told_window(
    candidate: Candidate, account: Account | None, local: Path | None, settings: Settings, *, asked: bool
) -> int | None:
    """Ask the server for a model's window: its model list, then llama.cpp's /props.

    With --context a server that can't be reached is no mistake: it may come up later.
    """
    if account is None:
        return trained_context(local) if local else None
    wire = wire_of(candidate.provider.wire)
    if wire.models_path is None:
        return None
    try:
        models = asyncio.run(_get(account, account.base_url + wire.models_path, settings))
    except (CallFailed, RouteUnavailable) as error:
        if not asked or (candidate.model and any(row.context for row in candidate.model.routes)):
            return None  # --context or the catalogue tells
        raise UserMistake(
            f"{candidate.provider.name} at {account.base_url} can't be asked for the window of {candidate.name} "
            f"({error}): start the server, mend its base URL, or give --context N"
        ) from error
    listed = wire.listed(models)
    if models.status == 200 and not listed and b"<" in models.body[:100]:
        variable = candidate.provider.base_url_variable
        message = f"{account.base_url} answers HTML, not JSON: mend {variable} (it usually ends in /v1)"
        raise UserMistake(message)
    names = [model.id for model in listed]
    own = candidate.model is None or candidate.provider.name == COMPATIBLE
    if asked and names and own and candidate.id not in names:
        some = ", ".join(names[:LISTED]) + (" …" if len(names) > LISTED else "")
        raise UserMistake(f"{account.base_url} serves no model {candidate.id!r}: --model is one of {some}")
    window = min((one.context for one in listed if one.id == candidate.id and one.context), default=None)
    if window is None and candidate.provider.name == COMPATIBLE:
        window = asyncio.run(_props(account, settings))
    return window


def served_models(account: Account, settings: Settings) -> list[str]:
    """Return the names in a server's model list; empty where it can't be asked."""
    try:
        reply = asyncio.run(_get(account, account.base_url + "/models", settings))
        return [str(entry.get("id")) for entry in model_entries(reply)][:LISTED]
    except (CallFailed, RouteUnavailable):
        return []


async def _get(account: Account, url: str, settings: Settings) -> Reply:
    async with Client(settings.transport()) as client:
        return await client.get(url, account.headers("GET", url), ASK_SECONDS)


async def _props(account: Account, settings: Settings) -> int | None:
    """llama.cpp tells the context of a slot at /props, above /v1."""
    try:
        reply = await _get(account, account.base_url.removesuffix("/v1") + "/props", settings)
        number = json.loads(reply.body)["default_generation_settings"]["n_ctx"]
    except (CallFailed, RouteUnavailable, ValueError, KeyError, TypeError):
        return None
    return number if isinstance(number, int) and number > 0 else None
