"""Answers that come token by token: OpenAI's server-sent events, gathered into the body that comes without them."""

from typing import Any

import orjson

from tasks.providers.protocol import Reply

EVENTS = "text/event-stream"


class Gathering:
    """Collects a stream's bytes as they arrive; `has_begun` is True once they held a token."""

    def __init__(self) -> None:
        self.has_begun = False
        self._rest: list[bytes] = []
        self._texts: list[str] = []
        self._finish: Any = None
        self._beside: dict[str, Any] = {}

    def feed(self, piece: bytes) -> None:
        """Take the next bytes, wherever they were cut."""
        self._rest.append(piece)
        if b"\n" not in piece:
            return  # joined once its end is there: an event may be long, and come in many pieces
        *lines, rest = b"".join(self._rest).split(b"\n")
        self._rest = [rest]
        for line in lines:
            self._take(line.strip())

    def reply(self, reply: Reply) -> Reply:
        """Return the reply as one body; a server that didn't stream has sent that itself."""
        if not str(reply.headers.get("content-type", "")).startswith(EVENTS):
            return reply
        self.feed(b"\n")
        message = {"role": "assistant", "content": "".join(self._texts)}
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        return Reply(reply.status, reply.headers, orjson.dumps({**self._beside, "choices": [choice]}))

    def _take(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        try:
            event = orjson.loads(line[5:])
        except orjson.JSONDecodeError:  # [DONE], or a comment
            return
        if not isinstance(event, dict):
            return
        self._beside |= {key: event[key] for key in ("usage", "provider", "error", "cost") if event.get(key)}
        choices = event.get("choices")
        for choice in choices[:1] if isinstance(choices, list) else []:
            self._add(choice if isinstance(choice, dict) else {})

    def _add(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else {"content": choice.get("text")}
        text = delta.get("content")
        # A thought counts as a token too, although it isn't part of the answer.
        thought = delta.get("reasoning") or delta.get("reasoning_content")
        self.has_begun = self.has_begun or bool(text or thought)
        self._texts += [text] if isinstance(text, str) else []
        self._finish = choice.get("finish_reason") or self._finish
