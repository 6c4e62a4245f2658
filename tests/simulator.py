"""A simulated provider over real HTTP on loopback, for tests and benchmarks.

It speaks OpenAI's wire, counts what it is asked and what it answers, and has
latency, limits and faults as settings. `python -m tests.simulator PORT [LATENCY]
[--settings JSON]` serves it alone; POST /settings changes them while it runs.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import math
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NoReturn

import numpy as np
import orjson
from aiohttp import web
from numpy.typing import NDArray

from tests.loopback import served
from tests.quota import Quota, from_json

# Where a hanging request looks whether its client has left.
LOOK_AGAIN = 0.1

Fault = Callable[[int, dict[str, Any]], web.StreamResponse | None]


@dataclass
class Settings:
    """What the provider does; `fault` may answer in its place, by request number and body.

    `chaos` is the share of requests that each of FAULTS or USELESS takes; `poison` the fault of all
    whose prompt contains a text; `delays` the latency by request number, of which
    `first_share` passes until the first token of a stream; `count` how the
    tokens of a prompt are counted, by words without it. Without `remember`
    memory stays flat: no bodies, answered, prompts and times in the counts.
    """

    latency: float = 0.0
    context: int | None = None
    models: tuple[str, ...] = ("sim-model",)
    tell_window: bool = True
    requests_per_minute: int | None = None
    answer: str = "A short answer about {prompt_sha}."
    cost: float | str | None = None
    # That of each token, where a request asks for them.
    probability: float | None = None
    key: str | None = "secret-key-of-the-tests"
    fault: Fault | None = None
    usage: bool = True
    finish: Callable[[dict[str, Any]], str] = lambda _: "stop"
    write: Callable[[dict[str, Any]], str] | None = None
    count: Callable[[dict[str, Any]], int] | None = None
    quota: Quota | None = None
    chaos: Mapping[str, float] = field(default_factory=dict)
    poison: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    idle_seconds: float | None = None
    delays: Callable[[int], float] | None = None
    first_share: float = 0.5
    remember: bool = True
    dimensions: int = 16
    inputs: int | None = None

    def __post_init__(self) -> None:
        if unknown := {*self.chaos, *self.poison.values()} - {*FAULTS, *USELESS}:
            raise ValueError(f"no faults {sorted(unknown)}: {', '.join([*FAULTS, *USELESS])}")

    def change(self, given: Mapping[str, Any]) -> None:
        """Take over settings from JSON; what a quota has counted is kept."""
        values = dict(given)
        if functions := values.keys() & {"fault", "finish", "write", "count", "delays"}:
            raise ValueError(f"{sorted(functions)} can't be said in JSON")
        if values.get("quota"):
            values["quota"] = self._quota(values["quota"])
        if "models" in values:
            values["models"] = tuple(values["models"])
        # Through a new one, that nothing is changed where something is wrong.
        changed = replace(self, **values)
        for name in values:
            setattr(self, name, getattr(changed, name))

    def _quota(self, given: Mapping[str, Any]) -> Quota:
        new = from_json(given, time.monotonic())
        if self.quota is None:
            return new
        old = self.quota
        old.allowances, old.spelling, old.retry_after = new.allowances, new.spelling, new.retry_after
        return old


@dataclass
class Counts:
    """What was asked and answered since the start; `refused` by limits, `faults` of chaos and poison."""

    requests: int = 0
    answers: int = 0
    refused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    written: int = 0  # tokens of the latest answer
    faults: Counter[str] = field(default_factory=Counter)
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
        self._luck = random.Random(self.settings.seed)
        self._idle: dict[asyncio.Transport, asyncio.TimerHandle] = {}

    def application(self) -> web.Application:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._completion)
        app.router.add_post("/v1/completions", self._completion)
        app.router.add_post("/v1/embeddings", self._embeddings)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/counts", self._counts)
        app.router.add_post("/settings", self._change)
        return app

    async def _counts(self, request: web.Request) -> web.Response:
        left_out = {"bodies", "prompts", "times"}
        names = [one.name for one in fields(Counts) if one.name not in left_out]
        return web.json_response({name: getattr(self.counts, name) for name in names})

    async def _change(self, request: web.Request) -> web.Response:
        try:
            self.settings.change(await request.json())
        except (ValueError, TypeError, KeyError) as wrong:
            return error(400, repr(wrong))
        return web.json_response({})

    async def _models(self, request: web.Request) -> web.Response:
        window = {"max_model_len": self.settings.context} if self.settings.context and self.settings.tell_window else {}
        return web.json_response({"object": "list", "data": [{"id": name, **window} for name in self.settings.models]})

    async def _embeddings(self, request: web.Request) -> web.Response:
        """Vectors that tell their texts: of `dimensions` numbers drawn from a hash of each."""
        raw = await request.read()
        body = json.loads(raw)
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        counts, settings = self.counts, self.settings
        counts.requests += 1
        if settings.remember:
            counts.bodies[hashlib.sha256(raw).hexdigest()] += 1
            counts.prompts.append(body)
        if (stranger := self._stranger(request, body)) is not None:
            return stranger
        if any(text in given for text in settings.poison for given in texts):
            return error(400, "an input can't be embedded")
        if settings.inputs and len(texts) > settings.inputs:
            return error(400, f"at most {settings.inputs} inputs")
        if settings.fault and (refusal := settings.fault(counts.requests, body)) is not None:
            assert isinstance(refusal, web.Response)
            return refusal
        if delay := settings.delays(counts.requests) if settings.delays else settings.latency:
            await asyncio.sleep(delay)
        return self._vectors(body, texts)

    def _vectors(self, body: dict[str, Any], texts: list[str]) -> web.Response:
        tokens = sum(len(text.split()) for text in texts)
        self.counts.answers += 1
        self.counts.prompt_tokens += tokens
        size = body.get("dimensions") or self.settings.dimensions
        packed = body.get("encoding_format") == "base64"
        vectors = (vector_of(text, size) for text in texts)
        data = [
            {"index": index, "embedding": base64.b64encode(one.tobytes()).decode() if packed else one.tolist()}
            for index, one in enumerate(vectors)
        ]
        answer = {"object": "list", "data": data, "model": body["model"], "usage": {"prompt_tokens": tokens}}
        return web.Response(body=orjson.dumps(answer), content_type="application/json")

    async def _completion(self, request: web.Request) -> web.StreamResponse:
        counts = self.counts
        counts.in_flight += 1
        counts.most_in_flight = max(counts.most_in_flight, counts.in_flight)
        if self._idle:
            self._wake(request)
        try:
            return await self._answer(request)
        finally:
            counts.in_flight -= 1
            if self.settings.idle_seconds is not None:
                self._watch(request, self.settings.idle_seconds)

    def _watch(self, request: web.Request, seconds: float) -> None:
        """Close the connection when it has been idle for so long."""
        if (transport := request.transport) is not None:
            self._wake(request)
            self._idle[transport] = asyncio.get_running_loop().call_later(seconds, self._close, transport)

    def _wake(self, request: web.Request) -> None:
        if request.transport in self._idle:
            self._idle.pop(request.transport).cancel()

    def _close(self, transport: asyncio.Transport) -> None:
        del self._idle[transport]
        transport.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        counts, settings = self.counts, self.settings
        raw = await request.read()
        body = json.loads(raw)
        if "prompt" in body:
            body["messages"] = [{"role": "user", "content": body["prompt"]}]
        counts.requests += 1
        number = counts.requests
        digest = hashlib.sha256(raw).hexdigest()
        if settings.remember:
            counts.times.append(time.monotonic())
            counts.bodies[digest] += 1
        if (stranger := self._stranger(request, body)) is not None:
            return stranger
        prompt = settings.count(body) if settings.count else prompt_tokens(body)
        refusal = self._refusal(body, prompt) or (settings.fault(number, body) if settings.fault else None)
        if refusal is not None:
            return refusal
        name = self._drawn(body) if settings.chaos or settings.poison else None
        delay = settings.delays(number) if settings.delays else settings.latency
        if name in FAULTS:
            await asyncio.sleep(delay if settings.delays else 0)
            return await self._faulted(name, request)
        streams = bool(body.get("stream"))
        if delay:
            await asyncio.sleep(delay * (settings.first_share if streams else 1))
        if settings.remember:
            counts.prompts.append(body)
        if streams:
            return await self._streamed(request, self._body(body, digest, prompt), delay * (1 - settings.first_share))
        if name is not None:
            return self._useless(name, self._body(body, digest, prompt), body["max_tokens"])
        return self._delivered(body, digest, prompt)

    def _useless(self, name: str, answer: dict[str, Any], most: int) -> web.Response:
        """An answer that is paid for like any other, and of no use; one that only reasons takes all its tokens."""
        self.counts.faults[name] += 1
        message = {"role": "assistant", "content": None, **USELESS[name]}
        finish = message.pop("finish_reason", "stop")
        if "reasoning_content" in message:
            self.counts.completion_tokens += most - answer["usage"]["completion_tokens"]
            answer["usage"] |= {"completion_tokens": 0, "total_tokens": answer["usage"]["prompt_tokens"] + most}
        choices = [{"index": 0, "message": message, "finish_reason": finish}]
        return web.json_response(answer | {"choices": [] if message.pop("nothing", False) else choices})

    async def _streamed(self, request: web.Request, answer: dict[str, Any], rest: float) -> web.StreamResponse:
        """Send an answer as events: its role, its first word, and after `rest` seconds all others and the usage."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        choice = answer["choices"][0]
        first, space, others = choice["message"]["content"].partition(" ")
        await response.write(event(delta={"role": "assistant", "content": ""}) + event(delta={"content": first}))
        if rest:
            await asyncio.sleep(rest)
        await response.write(event(delta={"content": space + others}))
        await response.write(event(delta={}, finish_reason=choice["finish_reason"]))
        if "usage" in answer:
            await response.write(b"data: " + orjson.dumps({"choices": [], "usage": answer["usage"]}) + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    def _stranger(self, request: web.Request, body: dict[str, Any]) -> web.Response | None:
        settings = self.settings
        if settings.key and request.headers.get("Authorization") != f"Bearer {settings.key}":
            return error(401, "invalid api key")
        if body["model"] not in settings.models:
            return error(404, f"model {body['model']} does not exist")
        return None

    def _refusal(self, body: dict[str, Any], prompt: int) -> web.Response | None:
        settings = self.settings
        if settings.context and prompt + body["max_tokens"] > settings.context:
            return error(400, f"maximum context length is {settings.context} tokens", "context_length_exceeded")
        limited = self._limited()
        if limited is None and settings.quota is not None:
            limited = self._over_quota(settings.quota, body, prompt)
        self.counts.refused += limited is not None
        return limited

    def _limited(self) -> web.Response | None:
        limit = self.settings.requests_per_minute
        if limit is None:
            return None
        now = time.monotonic()
        while self._minute and self._minute[0] < now - 60:
            self._minute.popleft()
        if len(self._minute) >= limit:
            return error(429, "rate limit", headers={"Retry-After": "1"})
        self._minute.append(now)
        return None

    def _over_quota(self, quota: Quota, body: dict[str, Any], prompt: int) -> web.Response | None:
        now = time.monotonic()
        wait = quota.take(now, prompt, most(body))
        if wait is None:
            return None
        headers = quota.headers(now, wait, time.time())
        return error(429, "rate limit reached", "rate_limit_exceeded", headers)

    def _drawn(self, body: dict[str, Any]) -> str | None:
        """Return the fault of this request, drawn anew each time it is asked."""
        for text, name in self.settings.poison.items():
            if any(text in turn["content"] for turn in body["messages"]):
                return name
        left = self._luck.random()
        for name, share in self.settings.chaos.items():
            left -= share
            if left < 0:
                return name
        return None

    async def _faulted(self, name: str, request: web.Request) -> web.StreamResponse:
        self.counts.faults[name] += 1
        # aiohttp has no event for a client that leaves.
        while name == "hang" and request.transport is not None:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_AGAIN)
        return FAULTS[name]()

    def _delivered(self, body: dict[str, Any], digest: str, prompt: int) -> web.Response:
        answer = self._body(body, digest, prompt)
        written = self.counts.written
        return web.json_response(answer, headers=self._settled(self.settings.quota, body, prompt, written))

    def _body(self, body: dict[str, Any], digest: str, prompt: int) -> dict[str, Any]:
        settings, counts = self.settings, self.counts
        text = settings.write(body) if settings.write else settings.answer.format(prompt_sha=digest[:12])
        finish = settings.finish(body)
        written = len(text.split())
        if finish == "length":
            written = body["max_tokens"]
        counts.answers += 1
        if settings.remember:
            counts.answered[digest] += 1
        counts.prompt_tokens += prompt
        counts.completion_tokens += written
        answer = completion(body["model"], text, finish, counts.answers)
        if body.get("logprobs") and settings.probability is not None:
            answer["choices"][0]["logprobs"] = {"content": told_tokens(text, settings.probability)}
        if "prompt" in body:
            answer["choices"] = [{"index": 0, "text": text, "finish_reason": finish}]
        if settings.usage:
            answer["usage"] = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
            if settings.cost is not None:
                answer["usage"]["cost"] = settings.cost
        counts.written = written
        return answer

    def _settled(self, quota: Quota | None, body: dict[str, Any], prompt: int, written: int) -> dict[str, str] | None:
        if quota is None:
            return None
        now = time.monotonic()
        quota.settle(now, prompt, most(body), written)
        return quota.headers(now, None, time.time())


def vector_of(text: str, size: int) -> "NDArray[np.float32]":
    """Return the vector of a text, which no other has."""
    seed = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
    return np.random.Generator(np.random.SFC64(seed)).random(size, dtype=np.float32)


def told_tokens(text: str, probability: float) -> list[dict[str, Any]]:
    """Return a text as tokens of two bytes, each of the same probability."""
    data, logarithm = text.encode(), math.log(probability)
    pieces = [data[start : start + 2] for start in range(0, len(data), 2)]
    return [
        {"token": piece.decode(errors="replace"), "bytes": list(piece), "logprob": logarithm, "top_logprobs": []}
        for piece in pieces
    ]


def completion(model: str, text: str, finish: str = "stop", number: int = 0) -> dict[str, Any]:
    """Return an answer in OpenAI's shape, without its usage."""
    return {
        "id": f"sim-{number}",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
    }


def event(**choice: Any) -> bytes:
    """Return one event of a stream in OpenAI's shape."""
    return b"data: " + orjson.dumps({"choices": [{"index": 0, **choice}]}) + b"\n\n"


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


def html(status: int) -> web.Response:
    """A fault: the page of a proxy that found no server."""
    return web.Response(status=status, text="<html><body>Bad gateway</body></html>", content_type="text/html")


def json_text(text: str) -> web.Response:
    """A fault: a body that says it is JSON, whatever it is."""
    return web.Response(text=text, content_type="application/json")


# By name, that they can be said on a command line; "hang" first waits until the client has left.
FAULTS: dict[str, Callable[[], web.StreamResponse]] = {
    "http_500": lambda: error(500, "internal error"),
    "http_503": lambda: error(503, "overloaded"),
    "http_529": lambda: error(529, "overloaded"),
    "http_429": lambda: error(429, "too many requests"),
    "html_502": lambda: html(502),
    "reset": Reset,
    "hang": lambda: error(504, "nobody is there to read this"),
    "truncated": Truncated,
    "broken_json": lambda: json_text('{"id": "sim-0", "choices": [{"index": 0, "mess'),
    "empty_choices": lambda: web.json_response(completion("sim-model", "") | {"choices": []}),
    "empty_text": lambda: web.json_response(completion("sim-model", "")),
    "error_in_200": lambda: web.json_response({"error": {"code": 502, "message": "the host failed"}}),
}


# By name, what stands in the message of an answer that is paid for and of no use.
USELESS: dict[str, dict[str, Any]] = {
    "refusal": {"refusal": "I can't help with that."},
    "reasoning": {"reasoning_content": "First I think about it.", "finish_reason": "length"},
    "paid_empty": {"content": " \n"},
    "tool_call": {"tool_calls": [{"type": "function", "function": {"name": "search", "arguments": "{}"}}]},
    "filtered": {"content": "Half an answ", "finish_reason": "content_filter"},
    "failed_midway": {"content": "Half an answ", "finish_reason": "error"},
    "paid_no_choices": {"nothing": True},
}


def most(body: dict[str, Any]) -> int:
    """Return the most tokens that an answer may have, as a quota books it."""
    return int(body.get("max_tokens") or 0)


def prompt_tokens(body: dict[str, Any]) -> int:
    """Count a token for each word: what the provider says, whatever the client thinks."""
    return sum(len(turn["content"].split()) for turn in body["messages"])


@contextlib.contextmanager
def serving(settings: Settings | None = None, port: int = 0) -> Iterator[Simulator]:
    """Serve a provider from a thread of its own while the block runs."""
    simulator = Simulator(settings)
    with served(simulator.application(), port) as root:
        simulator.url = f"{root}/v1"
        yield simulator


def main() -> None:
    """Serve until killed; prints the URL when it is taken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("latency", type=float, nargs="?", default=0.0)
    parser.add_argument("--settings", type=json.loads, default={})
    words = parser.parse_args()
    settings = Settings(context=8192, latency=words.latency)
    settings.change(words.settings)
    with serving(settings, words.port) as one:
        print(one.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
