"""Each provider's API as its documentation describes it, over real HTTP on loopback.

One server plays them all, each below a path of its own name; it keeps what it was sent,
checks what the real one would refuse, and answers in the real one's shape. `wrong` has it
answer a failure instead.
"""

import contextlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from tasks.models.catalogue import load_catalogue
from tests.loopback import served

KEY = "sk-counterpart-0123456789"
TEXT = "A faithful summary."
PROMPT_TOKENS, COMPLETION_TOKENS, COST = 40, 5, 0.00012
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REACHED = [provider for provider in load_catalogue().providers if provider.name != "local"]
# The paths of their base URLs.
BASES = {provider.name: urlsplit(provider.base_url or "/v1").path for provider in REACHED} | {
    "openai-compatible": "/v1"
}
VARIABLES = {provider.name: (provider.key_variable or "", provider.base_url_variable or "") for provider in REACHED}


@dataclass(frozen=True)
class Sent:
    """One request as it came: the path as it stood on the wire, below the provider's own."""

    provider: str
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    raw: bytes


@dataclass
class Counterparts:
    """What was sent, and what is to be answered: `wrong` is (status, headers, body) by provider.

    A provider in `lost_after` has no credit left once it has given so many answers.
    """

    url: str = ""
    sent: list[Sent] = field(default_factory=list)
    models: dict[str, Any] = field(default_factory=dict)
    wrong: dict[str, tuple[int, Mapping[str, str], Any]] = field(default_factory=dict)
    lost_after: dict[str, int] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)

    def base(self, provider: str) -> str:
        return f"{self.url}/{provider}{BASES[provider]}"

    def environment(self, *providers: str, key: str = KEY) -> dict[str, str]:
        """The variables under which these providers are reached here."""
        names = {VARIABLES[name][0]: key for name in providers}
        return names | {VARIABLES[name][1]: self.base(name) for name in providers}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        _, provider, rest = request.raw_path.split("/", 2)
        path = "/" + rest
        raw = await request.read()
        if request.method == "GET":
            listed = self.models.get(provider)
            return web.json_response(listed if listed is not None else {"object": "list", "data": []})
        body = json.loads(raw)
        self.sent.append(Sent(provider, path, dict(request.headers), body, raw))
        if provider in self.wrong:
            status, headers, wrong = self.wrong[provider]
            return web.json_response(wrong, status=status, headers=headers)
        if provider != "bedrock" and request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": {"message": "invalid key", "code": 401}}, status=401)
        if self.answers[provider] >= self.lost_after.get(provider, 10**9):
            return web.json_response({"error": {"message": "insufficient credits", "code": 402}}, status=402)
        self.answers[provider] += 1
        return self._answered(provider, path, body)

    def _answered(self, provider: str, path: str, body: dict[str, Any]) -> web.Response:
        if provider == "bedrock":
            return web.json_response(converse()) if path.endswith("/converse") else missing(path)
        if path == "/v2/text/chat" and provider == "edenai":
            name = body["providers"]
            return web.json_response(
                {f"{name}/{body['settings'][name]}": {"status": "success", "generated_text": TEXT}}
            )
        version = "/v3" if provider == "edenai" else BASES[provider]
        if path == f"{version}/embeddings":
            return web.json_response(embeddings(provider, body))
        if path == "/v2/text/embeddings" and provider == "edenai":
            items = [{"embedding": vector(text)} for text in body["texts"]]
            return web.json_response({body["providers"]: {"status": "success", "items": items}})
        if path == f"{version}/chat/completions" and "messages" in body:
            return web.json_response(completion(provider, body, {"message": {"role": "assistant", "content": TEXT}}))
        textual = provider not in ("apipie", "deepinfra", "bedrock", "edenai", "mistral")
        if textual and path == f"{version}/completions" and "prompt" in body:
            return web.json_response(completion(provider, body, {"text": TEXT}))
        return missing(path)


def converse() -> dict[str, Any]:
    """Bedrock's answer."""
    return {
        "output": {"message": {"role": "assistant", "content": [{"text": TEXT}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": PROMPT_TOKENS, "outputTokens": COMPLETION_TOKENS, "totalTokens": 45},
        "metrics": {"latencyMs": 300},
    }


def completion(provider: str, body: Mapping[str, Any], choice: dict[str, Any]) -> dict[str, Any]:
    """The others' answer, each with its finish reason, and its cost where it tells one."""
    usage: dict[str, Any] = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": COMPLETION_TOKENS, "total_tokens": 45}
    more: dict[str, Any] = {}
    if provider == "apipie":
        usage |= {"cost": str(COST), "latency_ms": 300}
        more = {"provider": body.get("provider", "openrouter")}
    if provider == "openrouter":
        usage |= {"cost": COST}
        more = {"provider": "Mistral"}
    if provider == "deepinfra":
        usage |= {"estimated_cost": COST}
    if provider == "edenai":
        more = {"cost": COST}
    finish = "eos" if provider == "together" else "stop"
    choices = [{"index": 0, "finish_reason": finish, **choice}]
    kind = "chat.completion" if "message" in choice else "text_completion"
    return {"id": "1", "object": kind, "created": 1, "model": body["model"], "choices": choices, "usage": usage} | more


def vector(text: str) -> list[float]:
    """A vector that tells its text."""
    return [float(len(text)), 0.5, -1.0]


def embeddings(provider: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of an embeddings route, last text first; Together's has no usage."""
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    data = [{"object": "embedding", "index": index, "embedding": vector(text)} for index, text in enumerate(texts)]
    cost = {"cost": str(COST)} if provider == "apipie" else {}
    usage = {} if provider == "together" else {"usage": {"prompt_tokens": 7, "total_tokens": 7, **cost}}
    top = {"cost": COST} if provider == "edenai" else {}
    return {"object": "list", "data": data[::-1], "model": body["model"], **usage, **top}


def missing(path: str) -> web.Response:
    """What lies at no other path."""
    return web.json_response({"error": {"message": f"no route {path}"}}, status=404)


@contextlib.contextmanager
def playing() -> Iterator[Counterparts]:
    """Serve them all from a thread of its own while the block runs."""
    parts = Counterparts()
    application = web.Application(client_max_size=64 * 2**20)
    application.router.add_route("*", "/{tail:.*}", parts.handle)
    with served(application) as root:
        parts.url = root
        yield parts
