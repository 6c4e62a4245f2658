"""One route for one job, over a sender that answers from a function: no HTTP, no waiting."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from tasks.calls.asker import Asker
from tasks.calls.call_context import CallContext, CallPosition, DocumentProgress
from tasks.calls.progress import Meter
from tasks.calls.recorder import CallRecorder
from tasks.calls.route_client import RouteClient
from tasks.calls.token_calibration import TokenCalibration
from tasks.chunking.chat_template import Window
from tasks.chunking.tokenizer import Sizes
from tasks.dispatch.budget import Spending
from tasks.dispatch.dispatcher import Dispatcher
from tasks.dispatch.exchanger import Exchanger
from tasks.dispatch.limits.gate import Limits
from tasks.ledger.state import LocalState
from tasks.models.price import Price
from tasks.models.route import Route
from tasks.prompting.conversation import ConversationBuilder, Prompt
from tasks.providers.account import Account
from tasks.providers.protocol import Reply
from tasks.providers.structured import Structured
from tasks.providers.wires.openai import OpenAI

Answer = Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]


class Words:
    """A tokenizer to which each word is a token."""

    exact = True

    def count(self, text: str) -> int:
        return len(text.split())

    def bound(self, text: str) -> int:
        return len(text)

    def sizes(self, text: str) -> Sizes:
        raise AssertionError(text)  # nothing is cut here


class Sender:
    """Answers requests by a function of their bodies, and keeps those."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.sent = answer, list[dict[str, Any]]()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Reply:
        assert (url, seconds > 0) == ("http://there/chat/completions", True)
        assert headers["Content-Type"] == "application/json"
        asked = orjson.loads(body)
        self.sent.append(asked)
        status, answer = self.answer(asked)
        return Reply(status, {}, orjson.dumps(answer))

    async def get(self, url: str, headers: Mapping[str, str], seconds: float) -> Reply:
        raise AssertionError((url, headers, seconds))


def said(text: str, finish: str = "stop", prompt: int = 10, written: int = 2) -> tuple[int, dict[str, Any]]:
    """An answer with its usage."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return 200, {"choices": [choice], "usage": {"prompt_tokens": prompt, "completion_tokens": written}}


def refused(status: int, words: str) -> tuple[int, dict[str, Any]]:
    """A refusal in OpenAI's shape."""
    return status, {"error": {"message": words}}


async def instant(_: float) -> None:
    """Sleep without waiting."""


class Desk:
    """An asker with all that it needs; `answer` says what the route answers. Make it on the event loop."""

    def __init__(
        self, folder: Path, answer: Answer, structured: Structured | None = None, budget: float | None = None
    ) -> None:
        self.sender, self.meter, state = Sender(answer), Meter(), LocalState(folder)
        folder.mkdir(exist_ok=True)
        self.ledger = state.open()
        self.ledger.begin("identity", "summarize")
        route = Route("there", "m", "m", None, Window(8000, 100), "words", "chatml", Price(1.0, 2.0))
        exchanger = Exchanger(self.sender, Account("there", "http://there"), OpenAI())
        dispatcher = Dispatcher(exchanger, Limits(concurrency=8), sleep=instant, jitter=lambda: 0.0)
        self.spending = Spending(budget)
        self.client = RouteClient(
            route, dispatcher, self.ledger, self.spending, TokenCalibration(state, "m"), self.meter, lambda: None
        )
        builder = ConversationBuilder(Words(), "Go on.", is_base_model=False)
        recorder = CallRecorder(self.client, builder)
        self.asker = Asker(self.client, recorder, "price", {}, structured)
        self.progress = DocumentProgress("a.txt")

    def at(self, number: int = 0) -> CallContext:
        """Where the document's chunk of that number is asked about."""
        return CallContext(self.progress, CallPosition("map", 0, number, number, number + 1))


def prompt(text: str, schema: Mapping[str, Any] | None = None) -> Prompt:
    """A prompt of a few words."""
    return Prompt(text, len(text.split()), None, schema)
