"""How one route wants requests spelled that it refuses as they are: learned once, from the words of a refusal.

OpenAI's reasoning models take `max_completion_tokens` in place of `max_tokens` and no temperature but their own;
others know no `stop`, or no `encoding_format` of embeddings. The identity of a call is that of the request
before it is spelled so: what was paid is found again.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import orjson

RENAMED = {"max_tokens": "max_completion_tokens"}
# What an answer can do without.
DROPPED = ("temperature", "stop", "encoding_format", "top_p", "seed", "presence_penalty", "frequency_penalty")
ENGLISH = frozenset({"stop", "seed"})
# OpenAI, Azure, Anthropic ("Extra inputs are not permitted"), Gemini ("Unknown name"), xAI, Mistral, vLLM, LiteLLM.
REFUSES = re.compile(
    r"unsupported|not support|only the default|unrecognized|unknown|unexpected|extra inputs|extra_forbidden"
    r"|not permitted|not allowed|no longer|deprecated|cannot both|can't both|invalid (?:field|argument|parameter)",
    re.IGNORECASE,
)
STATUSES = frozenset({400, 404, 415, 422, 500, 501})


@dataclass(slots=True)
class Adjustments:
    """What has been learned of one route; nothing costs nothing."""

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
        """Learn from a refusal of a request that was sent after `sent` had been learned; whether to send it anew."""
        if status not in STATUSES or not REFUSES.search(words):
            return False
        known = self.count
        for name, new in RENAMED.items():
            if _names(words, name) and new in words and name not in self.renamed:
                self.renamed[name] = new
        if self.count == known:
            self.dropped |= {name for name in DROPPED if _names(words, name)}
        return self.count > sent

    def drop(self, name: str) -> bool:
        """Leave a field out from now on; False where it is left out already."""
        new = name not in self.dropped
        self.dropped.add(name)
        return new


def _names(words: str, name: str) -> bool:
    """Whether words name a field; one that is a word of English has to be marked as a name."""
    if name in ENGLISH:
        return re.search(rf"['\"`]{name}['\"`]|(?:body|supplied:|model:) {name}\b|\b{name}:", words) is not None
    return re.search(rf"(?<![\w-]){name}(?![\w-])", words) is not None
