"""The tokens that an answer took, by its `usage`, in all the ways in which servers write it.

OpenAI counts reasoning within `completion_tokens` and cached tokens within `prompt_tokens`.
xAI and Gemini's OpenAI dialect leave reasoning out of `completion_tokens`: only `total_tokens`
has it. Anthropic's dialect leaves cached tokens out of `input_tokens`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tasks.providers.numbers import whole

CACHED = ("cache_read_input_tokens", "cache_creation_input_tokens")


class Usage(NamedTuple):
    """Tokens read and written, reasoning among them; None where nothing is told."""

    prompt_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int = 0


def read_usage(usage: Mapping[str, Any]) -> Usage:
    """Return the tokens of a `usage` object, never fewer than any of its numbers implies."""
    plain = _plain(usage)
    if plain is not None:
        return plain
    prompt, written = _prompt(usage), _first(usage, "completion_tokens", "output_tokens")
    total = whole(usage.get("total_tokens"))
    reasoning = _detail(usage, "reasoning_tokens", "completion_tokens_details", "output_tokens_details")
    if written is not None and reasoning > written:
        written += reasoning
    if prompt is not None and total is not None and total > prompt:
        written = max(written or 0, total - prompt)
    elif prompt is None and written is not None and total is not None:
        prompt = max(total - written, 0)
    return Usage(prompt, written, reasoning)


def _plain(usage: Mapping[str, Any]) -> Usage | None:
    """Return the usage that most servers send, which needs no interpretation: three numbers that add up."""
    prompt, written, total = usage.get("prompt_tokens"), usage.get("completion_tokens"), usage.get("total_tokens")
    if len(usage) == 3 and type(prompt) is type(written) is int and prompt + written == total:
        return Usage(prompt, written) if prompt >= 0 and written >= 0 else None
    return None


def _prompt(usage: Mapping[str, Any]) -> int | None:
    """Return the prompt's tokens with cached ones: a count that these outnumber doesn't include them."""
    prompt = _first(usage, "prompt_tokens", "input_tokens")
    if prompt is None:
        return None
    within = _detail(usage, "cached_tokens", "prompt_tokens_details", "input_tokens_details")
    beside = sum(whole(usage.get(name)) or 0 for name in CACHED)
    is_anthropic = "prompt_tokens" not in usage
    return prompt + max(beside if is_anthropic or beside > prompt else 0, within if within > prompt else 0)


def _first(usage: Mapping[str, Any], *names: str) -> int | None:
    return next((count for name in names if (count := whole(usage.get(name))) is not None), None)


def _detail(usage: Mapping[str, Any], name: str, *tables: str) -> int:
    """Return a count that stands in one of the tables of details, or beside them; 0 where it is nowhere."""
    found = [usage.get(one) for one in tables]
    counts = [whole(one.get(name)) for one in [*found, usage] if isinstance(one, Mapping)]
    return max((count for count in counts if count is not None), default=0)
