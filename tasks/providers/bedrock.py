"""AWS Bedrock's Converse: its own wire, signed (aws.py) or with a bearer key.

Mistral 7B and Mixtral 8x7B take no system text, so it is put before the first user turn.
The quota reserves maxTokens at the start, so that is always sent. Bedrock has no model
list beside it and tells no cost; limits that a 429 refuses come without a Retry-After.
"""

import urllib.parse
from typing import Any

from tasks.errors import AccountRefused, DocmillError, ModelUnknown, Overflow, SetAside, Transient, UserMistake
from tasks.providers.failures import OVERFLOW, message_of
from tasks.providers.numbers import whole
from tasks.providers.openai import decoded, table
from tasks.providers.vectors import Embedding, Vectors
from tasks.providers.wire import Answer, Completion, Message, Reply
from tasks.routing.listed import Listed

NO_SYSTEM = ("mistral.mistral-7b", "mistral.mixtral-8x7b")
FINISHED = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length"}
WITHHELD = frozenset({"content_filtered", "guardrail_intervened"})
# An answer that ran into the end of the window is cut off, not refused.
CUT_BY_WINDOW = "model_context_window_exceeded"
REFUSED = frozenset({
    "AccessDeniedException", "UnrecognizedClientException", "ExpiredTokenException", "ServiceQuotaExceededException",
    "InvalidSignatureException", "MissingAuthenticationTokenException",
})  # fmt: skip
AGAIN = frozenset({408, 424, 429, 500, 502, 503, 504})


class Bedrock:
    """The Converse API."""

    models_path: str | None = None

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

    def answer(self, reply: Reply) -> Answer:
        """Return the message's text, with usage. Raises CallFailed or RouteLost."""
        body = decoded(reply)
        if reply.status >= 300:
            raise _refusal(reply, body)
        reason = body.get("stopReason")
        if reason in WITHHELD:
            raise SetAside("content_filter", "the provider's filter withheld the answer", status=reply.status)
        text = _text(body)
        if reason == "malformed_model_output" or not text.strip():
            raise Transient("empty_answer", f"an empty answer (stopReason {reason})", status=reply.status)
        usage = table(body, "usage")
        finish = "length" if reason == CUT_BY_WINDOW else FINISHED.get(str(reason), str(reason) if reason else None)
        return Answer(text, finish, whole(usage.get("inputTokens")), whole(usage.get("outputTokens")), None, None)

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


def _text(body: dict[str, Any]) -> str:
    try:
        parts = body["output"]["message"]["content"]
        text = "".join(part.get("text", "") for part in parts)
    except (KeyError, TypeError, AttributeError):
        return ""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


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
    if OVERFLOW.search(said):
        return Overflow("context_overflow", said, status=reply.status)
    return SetAside(f"http_{reply.status}", said, status=reply.status)
