"""A simulated provider over real HTTP on loopback, for tests and benchmarks.

It speaks OpenAI's wire, counts what it is asked and what it answers, and has
latency, limits and faults as settings. `python tests/simulator.py` serves it alone.
"""

import asyncio
import contextlib
import hashlib
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from aiohttp import web

Fault = Callable[[int, dict[str, Any]], web.StreamResponse | None]


@dataclass
class Settings:
    """What the provider does; `fault` may answer in its place, by request number and body."""

    latency: float = 0.0
    context: int | None = None
    models: tuple[str, ...] = ("sim-model",)
    tell_window: bool = True
    requests_per_minute: int | None = None
    answer: str = "A short answer about {prompt_sha}."
    cost: float | str | None = None
    key: str | None = "secret-key-of-the-tests"
    fault: Fault | None = None
    usage: bool = True
    finish: Callable[[dict[str, Any]], str] = lambda _: "stop"
    write: Callable[[dict[str, Any]], str] | None = None


@dataclass
class Counts:
    """What was asked and answered since the start."""

    requests: int = 0
    answers: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    bodies: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    prompts: list[dict[str, Any]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


class Simulator:
    """The provider; run it in a thread with `serving`."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.counts = Counts()
        self.url = ""
        self._minute: deque[float] = deque()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._completion)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/counts", self._counts)
        return app

    async def _counts(self, request: web.Request) -> web.Response:
        counts = self.counts
        names = ("requests", "answers", "prompt_tokens", "completion_tokens", "most_in_flight")
        return web.json_response({name: getattr(counts, name) for name in names} | {"answered": dict(counts.answered)})

    async def _models(self, request: web.Request) -> web.Response:
        window = {"max_model_len": self.settings.context} if self.settings.context and self.settings.tell_window else {}
        return web.json_response({"object": "list", "data": [{"id": name, **window} for name in self.settings.models]})

    async def _completion(self, request: web.Request) -> web.StreamResponse:
        counts = self.counts
        counts.in_flight += 1
        counts.most_in_flight = max(counts.most_in_flight, counts.in_flight)
        try:
            return await self._answer(request)
        finally:
            counts.in_flight -= 1

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        counts, settings = self.counts, self.settings
        raw = await request.read()
        body = json.loads(raw)
        counts.requests += 1
        counts.times.append(time.monotonic())
        digest = hashlib.sha256(raw).hexdigest()
        counts.bodies[digest] += 1
        refusal = self._refusal(request, body) or (settings.fault(counts.requests, body) if settings.fault else None)
        if refusal is not None:
            return refusal
        if settings.latency:
            await asyncio.sleep(settings.latency)
        counts.prompts.append(body)
        return self._delivered(body, digest)

    def _refusal(self, request: web.Request, body: dict[str, Any]) -> web.Response | None:
        settings = self.settings
        if settings.key and request.headers.get("Authorization") != f"Bearer {settings.key}":
            return error(401, "invalid api key")
        if body["model"] not in settings.models:
            return error(404, f"model {body['model']} does not exist")
        if settings.context and prompt_tokens(body) + body["max_tokens"] > settings.context:
            return error(400, f"maximum context length is {settings.context} tokens", "context_length_exceeded")
        return self._limited()

    def _limited(self) -> web.Response | None:
        limit, now = self.settings.requests_per_minute, time.monotonic()
        if limit is None:
            return None
        while self._minute and self._minute[0] < now - 60:
            self._minute.popleft()
        if len(self._minute) >= limit:
            return error(429, "rate limit", headers={"Retry-After": "1"})
        self._minute.append(now)
        return None

    def _delivered(self, body: dict[str, Any], digest: str) -> web.Response:
        settings, counts = self.settings, self.counts
        text = settings.write(body) if settings.write else settings.answer.format(prompt_sha=digest[:12])
        finish = settings.finish(body)
        prompt, written = prompt_tokens(body), len(text.split())
        if finish == "length":
            written = body["max_tokens"]
        counts.answers += 1
        counts.answered[digest] += 1
        counts.prompt_tokens += prompt
        counts.completion_tokens += written
        answer: dict[str, Any] = {
            "id": f"sim-{counts.answers}",
            "model": body["model"],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        }
        if settings.usage:
            answer["usage"] = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
            if settings.cost is not None:
                answer["usage"]["cost"] = settings.cost
        return web.json_response(answer)


def error(status: int, message: str, code: str = "", headers: dict[str, str] | None = None) -> web.Response:
    """Return an error in OpenAI's shape."""
    return web.json_response(
        {"error": {"message": message, "type": "error", "code": code}}, status=status, headers=headers
    )


class Reset(web.StreamResponse):
    """A fault: the connection breaks before anything is answered."""

    async def prepare(self, request: web.BaseRequest) -> NoReturn:
        assert request.transport is not None
        request.transport.abort()
        raise ConnectionResetError


class Truncated(web.StreamResponse):
    """A fault: the connection breaks in the middle of a body."""

    async def prepare(self, request: web.BaseRequest) -> NoReturn:
        self.content_type, self.content_length = "application/json", 1000
        await super().prepare(request)
        await self.write(b'{"id": "sim-1", "choices": [')
        assert request.transport is not None
        request.transport.close()
        raise ConnectionResetError


def prompt_tokens(body: dict[str, Any]) -> int:
    """Count a token for each word: what the provider says, whatever the client thinks."""
    return sum(len(turn["content"].split()) for turn in body["messages"])


@contextlib.contextmanager
def serving(settings: Settings | None = None, port: int = 0) -> Iterator[Simulator]:
    """Serve a provider from a thread of its own while the block runs."""
    simulator = Simulator(settings)
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(simulator.application())

    async def start() -> None:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        simulator.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield simulator
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


if __name__ == "__main__":
    import sys

    with serving(
        Settings(context=8192, latency=float(sys.argv[2]) if len(sys.argv) > 2 else 0.0), int(sys.argv[1])
    ) as one:
        print(one.url, flush=True)
        threading.Event().wait()
