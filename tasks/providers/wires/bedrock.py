"""AWS Bedrock's Converse: its own wire, signed (aws.py) or with a bearer key.

Mistral 7B and Mixtral 8x7B take no system text, so it is put before the first user turn.
The quota reserves maxTokens at the start, so that is always sent. Bedrock has no model
list beside it and tells no cost; limits that a 429 refuses come without a Retry-After.
"""

import urllib.parse
from collections.abc import Mapping
from typing import Any

from tasks.base.errors import AccountRefused, CallRejected, DocmillError, ModelUnknown, Overflow, Transient, UserMistake
from tasks.models.model_lists import Listed
from tasks.providers.http_errors import message_of
from tasks.providers.numbers import whole
from tasks.providers.protocol import Answer, Completion, Message, Reply
from tasks.providers.refusals import means
from tasks.providers.unusable import fault_in, text_of
from tasks.providers.vectors import Embedding, Vectors
from tasks.providers.wires.openai import decoded, table

NO_SYSTEM = ("mistral.mistral-7b", "mistral.mixtral-8x7b")
# An answer that ran into the end of the window is cut off, not refused.
FINISHED = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "model_context_window_exceeded": "length",
    "malformed_model_output": "error", "malformed_tool_use": "error",
}  # fmt: skip
# Tokens that were read from a cache, or written to it, aren't among the input's.
READ = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
REFUSED = frozenset({
    "AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException", "ServiceQuotaExceededException",
    "InvalidSignatureException", "MissingAuthenticationTokenException",
})  # fmt: skip
AGAIN = frozenset({408, 424, 429, 500, 502, 503, 504})


class Bedrock:
    """The Converse API."""

    models_path: str | None = None
    streams = False

    def completion(self, request: Completion) -> tuple[str, dict[str, Any]]:
        """Return the path, in which the model's id is percent-encoded, and the body."""
        turns = _without_system(request) if request.model.startswith(NO_SYSTEM) else request.messages
        settings: dict[str, Any] = {"maxTokens": request.max_tokens, "temperature": 0.0}
        if request.stop:
            settings["stopSequences"] = [request.stop]
        body: dict[str, Any] = {
            "messages": [_turn(turn) for turn in turns if turn.role != "system"],
            "inferenceConfig": settings,
            **request.extras,
        }
        if system := [{"text": turn.content} for turn in turns if turn.role == "system"]:
            body["system"] = system
        return f"/model/{urllib.parse.quote(request.model, safe='')}/converse", body

    def streamed(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the body unchanged: Converse streams in another format, which isn't used."""
        return body

    def answer(self, reply: Reply) -> Answer:
        """Return the message's text, with usage. Raises CallFailed or RouteUnavailable."""
        body = decoded(reply)
        if reply.status >= 300:
            raise _refusal(reply, body)
        reason, usage = body.get("stopReason"), table(body, "usage")
        finish = FINISHED.get(str(reason), str(reason) if reason else None)
        message = table(table(body, "output"), "message")
        prompt = [whole(usage.get(name)) for name in READ]
        tokens = None if prompt[0] is None else sum(filter(None, prompt))
        answer = Answer(text_of(message.get("content")), finish, tokens, whole(usage.get("outputTokens")), None, None)
        fault = fault_in(_openai_message(message), answer)
        if fault is not None:
            raise fault
        return answer

    def embedding(self, request: Embedding) -> tuple[str, dict[str, Any]]:
        """Refuse: Converse has no embeddings. Raises UserMistake."""
        raise UserMistake(f"bedrock isn't asked for embeddings: choose another provider than its {request.model}")

    def vectors(self, reply: Reply, count: int | None) -> Vectors:
        """Refuse, as `embedding` does."""
        raise UserMistake(f"bedrock isn't asked for embeddings ({count} texts, HTTP {reply.status})")

    def listed(self, models: Reply) -> list[Listed]:  # noqa: ARG002 - the control plane, which lists them, is another API
        """Return nothing."""
        return []


def _turn(turn: Message) -> dict[str, Any]:
    return {"role": turn.role, "content": [{"text": turn.content}]}


def _without_system(request: Completion) -> list[Message]:
    """Put system text before the first user turn."""
    said = "\n\n".join(turn.content for turn in request.messages if turn.role == "system")
    first, *others = [turn for turn in request.messages if turn.role != "system"]
    return [Message(first.role, f"{said}\n\n{first.content}"), *others] if said else [first, *others]


def _openai_message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message's reasoning and tool calls under OpenAI's field names."""
    content = message.get("content")
    parts = [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
    return {
        "reasoning": [part for part in parts if "reasoningContent" in part],
        "tool_calls": [part for part in parts if "toolUse" in part],
    }


def _refusal(reply: Reply, body: dict[str, Any]) -> DocmillError:
    """Return the error of a refusal, by the type in its header (before a colon) or body."""
    kind = str(reply.headers.get("x-amzn-errortype") or body.get("__type") or "").split(":")[0].split("#")[-1]
    said = f"HTTP {reply.status}: {kind} {message_of(body) or body.get('Message', '')}".strip()
    if kind in REFUSED or reply.status in (401, 402, 403):
        return AccountRefused(f"the account is refused ({said}): check credentials, region, quota and model access")
    if kind == "ResourceNotFoundException" or reply.status == 404:
        return ModelUnknown(f"not found ({said}): check --model and AWS_REGION")
    if reply.status in AGAIN:  # a limit of tokens speaks of too many of them, as a window does
        return Transient(f"http_{reply.status}", said, status=reply.status)
    if means(said, "too_long"):
        return Overflow("context_overflow", said, status=reply.status)
    return CallRejected(f"http_{reply.status}", said, status=reply.status)


WIRE = Bedrock()
