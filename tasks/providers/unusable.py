"""Answers that were paid for but are unusable: each gets a reason of its own, and its cost is counted.

OpenAI's `refusal` and `content_filter`; reasoning apart from the answer as `reasoning_content`
(DeepSeek, vLLM), `reasoning` (OpenRouter, Groq) or parts of type `thinking` (Mistral); tool calls.
"""

from collections.abc import Mapping
from typing import Any

from tasks.base.errors import CallFailed, CallRejected, Transient
from tasks.providers.protocol import CUT, Answer

# Why the provider withheld an answer: OpenAI's, Anthropic's, Bedrock's, Gemini's and Zhipu's words, whose `sensitive`
# is at https://docs.bigmodel.cn/cn/guide/platform/securityaudit.
WITHHELD = frozenset({
    "content_filter", "content_filtered", "guardrail_intervened", "safety", "recitation", "blocklist",
    "prohibited_content", "spii", "sensitive",
})  # fmt: skip
REFUSED = frozenset({"refusal", "refused"})
REASONING = ("reasoning_content", "reasoning", "thinking")
THINKING_PARTS = frozenset({"thinking", "reasoning", "redacted_thinking"})
SHOWN = 300
MORE_ROOM = "give a larger --max-output-tokens"


def text_of(content: object) -> str:
    """Return the text of a message's content: a string, or parts, without those of reasoning.

    Plain strings among typed parts don't belong to the answer.
    """
    parts = content if isinstance(content, list) else [content]
    typed = [part for part in parts if isinstance(part, Mapping)]
    text = "".join(filter(None, map(_part, typed or parts)))
    # An answer that was cut off may end in half a surrogate pair, which no table takes.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _part(part: object) -> str | None:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type") in THINKING_PARTS:
        return None
    text = part.get("text")
    return text if isinstance(text, str) else None


def fault_in(message: Mapping[str, Any], answer: Answer, *, reasoned: bool = False) -> CallFailed | None:
    """Return the error that makes an answer unusable, with the answer as its `paid`; None for a usable one.

    `reasoned`: the model is known to have reasoned, whether or not the message holds its thoughts.
    An empty answer without usage may be a temporary fault, so its error is Transient.
    """
    finish = (answer.finish_reason or "").lower()
    refusal = _refusal(message)
    if finish in WITHHELD:
        return _aside("content_filter", "the provider's filter withheld the answer", answer)
    if finish in REFUSED or (refusal and not answer.text.strip()):
        return _aside("refused", f"the model refuses to answer: {refusal or 'it does not say why'}"[:SHOWN], answer)
    if finish == "error":
        paid = answer if is_counted(answer) else None
        return Transient("error_in_answer", "the provider failed in the middle of its answer", status=200, paid=paid)
    return None if answer.text.strip() else _empty(message, answer, reasoned=reasoned)


def _empty(message: Mapping[str, Any], answer: Answer, *, reasoned: bool) -> CallFailed:
    """Return the error for an empty answer."""
    finish = answer.finish_reason
    if message.get("tool_calls") or message.get("function_call"):
        return _aside("tool_call", "the model calls a tool instead of answering: choose another model", answer)
    if reasoned or any(_has_words(message.get(name)) for name in REASONING) or _thinks(message):
        if finish in CUT:
            return _aside("reasoning_only", f"the reasoning used all of --max-output-tokens: {MORE_ROOM}", answer)
        return _aside("reasoning_only", "the model reasoned and gave no answer: choose another model or prompt", answer)
    if is_counted(answer):
        fix = MORE_ROOM if finish in CUT else "choose another model or prompt"
        return _aside("empty_answer", f"an empty answer (finish_reason {finish}), which was paid for: {fix}", answer)
    return Transient("empty_answer", f"an empty answer (finish_reason {finish})", status=200)


def _aside(reason: str, words: str, answer: Answer) -> CallRejected:
    return CallRejected(reason, " ".join(words.split()), status=200, paid=answer)


def is_counted(answer: Answer) -> bool:
    """Whether the provider reports any tokens or cost for an answer."""
    return bool(answer.prompt_tokens or answer.completion_tokens or answer.cost)


def _refusal(message: Mapping[str, Any]) -> str:
    """Return the words of a refusal: the message's own, or those of a part of its content."""
    refusal, content = message.get("refusal"), message.get("content")
    parts = content if isinstance(content, list) else []
    words = [refusal, *(part.get("refusal") for part in parts if isinstance(part, Mapping))]
    return next((one.strip() for one in words if isinstance(one, str) and one.strip()), "")


def _has_words(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else bool(value)


def _thinks(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return any(isinstance(part, Mapping) and part.get("type") in THINKING_PARTS for part in parts)
