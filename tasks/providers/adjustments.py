"""How one route wants the fields of a request that it refuses otherwise: learned once, from the words of a refusal.

OpenAI's reasoning models take `max_completion_tokens` in place of `max_tokens` and no temperature but their own;
others know no `stop`, or no `encoding_format` for embeddings. The identity of a call is that of the request
before these changes, so that a paid answer is found again.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

RENAMED = {"max_tokens": "max_completion_tokens"}
# What an answer can do without.
DROPPED = (
    "temperature", "stop", "encoding_format", "logprobs", "top_p", "seed", "presence_penalty", "frequency_penalty",
)  # fmt: skip
ENGLISH = frozenset({"stop", "seed"})
# OpenAI, Azure, Anthropic ("Extra inputs are not permitted"), Gemini ("Unknown name"), xAI, Mistral, vLLM, LiteLLM.
REFUSES = re.compile(
    r"unsupported|not support|only the default|unrecognized|unknown|unexpected|extra inputs|extra_forbidden"
    r"|not permitted|not allowed|no longer|deprecated|cannot both|can't both|invalid (?:field|argument|parameter)",
    re.IGNORECASE,
)
# A model with a fixed temperature, which it uses where none is sent: Moonshot's Kimi "invalid temperature:
# only 1 is allowed for this model" (https://github.com/HKUDS/nanobot/pull/4967); Anthropic's "`temperature` may only
# be set to 1 when thinking is enabled" (https://github.com/MartialBE/one-hub/issues/529).
FIXED = re.compile(
    r"temperature['\"`]?:? (?:(?:must|should|may only|can only|has to) be (?:set to |exactly )?1(?:\.0)?\b"
    r"(?!\.?\d| or\b| to\b)|only [\d.]+ is allowed)",
    re.IGNORECASE,
)
# A long refusal may quote the request: only a field named this near to the refusing words (in characters) is refused.
NEAR = 200
STATUSES = frozenset({400, 404, 415, 422, 500, 501})


@dataclass(slots=True)
class Adjustments:
    """What has been learned about one route; while that is nothing, requests are sent unchanged."""

    renamed: dict[str, str] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)

    @property
    def count(self) -> int:
        """How much has been learned: a request that was sent with less is worth another try."""
        return len(self.renamed) + len(self.dropped)

    def applied(self, body: bytes) -> bytes:
        """Return a body as the route takes it."""
        if not self.count:
            return body
        fields: dict[str, Any] = orjson.loads(body)
        return orjson.dumps({self.renamed.get(name, name): fields[name] for name in fields if name not in self.dropped})

    def learn(self, status: int | None, words: str, sent: int) -> bool:
        """Learn from a refusal of a request sent when `count` was `sent`; return whether to send it again."""
        if status not in STATUSES or not (REFUSES.search(words) or FIXED.search(words)):
            return False
        known, refusals = self.count, _refusals(words)
        for name, new in RENAMED.items():
            if name not in self.renamed and any(_names(part, name) and new in part for part in refusals):
                self.renamed[name] = new
        if self.count == known:
            self.dropped |= {name for name in DROPPED if any(_names(part, name) for part in refusals)}
            self.dropped |= {"temperature"} if FIXED.search(words) else set()
        return self.count > sent

    def drop(self, name: str) -> bool:
        """Leave a field out from now on; False where it is left out already."""
        new = name not in self.dropped
        self.dropped.add(name)
        return new


def _refusals(words: str) -> list[str]:
    """Return the words that refuse, each with what is near."""
    return [words[max(0, found.start() - NEAR) : found.end() + NEAR] for found in REFUSES.finditer(words)]


def _names(words: str, name: str) -> bool:
    """Whether words name a field; one that is a word of English has to be marked as a name."""
    if name in ENGLISH:
        return re.search(rf"['\"`]{name}['\"`]|(?:body|supplied:|model:) {name}\b|\b{name}:", words) is not None
    return re.search(rf"(?<![\w-]){name}(?![\w-])", words) is not None
