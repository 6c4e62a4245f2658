"""A conversation with a model: how it begins, and how it goes on after an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tasks.chunking.tokenizer import Tokenizer
from tasks.providers.protocol import Message


class Prompt(NamedTuple):
    """A prompt's text, its tokens by the model's tokenizer, what ends the answer, and the schema it is to follow."""

    text: str
    tokens: int
    stop: str | None = None
    schema: Mapping[str, Any] | None = None


class Text(NamedTuple):
    """An answer's text, and whether it is still cut off at its end."""

    text: str
    cut: bool


class Talk(NamedTuple):
    """A conversation that a model is to go on with: its turns, and the tokens of each."""

    turns: tuple[Message, ...]
    counts: tuple[int, ...]
    stop: str | None
    schema: Mapping[str, Any] | None = None


def opened(prompt: Prompt) -> Talk:
    """Return the conversation that a prompt begins."""
    return Talk((Message("user", prompt.text),), (prompt.tokens,), prompt.stop, prompt.schema)


@dataclass(frozen=True, slots=True)
class Talker:
    """Carries conversations on; a base model's is one text to write on. Counting takes time: not on the event loop."""

    tokenizer: Tokenizer
    go_on: str
    is_base_model: bool

    def continued(self, talk: Talk, text: str) -> Talk:
        """Return the conversation that has an answer continued, which follows no schema."""
        return self._said(talk, text, "" if self.is_base_model else self.go_on)

    def replied(self, prompt: Prompt, text: str, words: str) -> Talk:
        """Return the conversation with words about an answer; a base model is given another mark to fill."""
        if self.is_base_model:
            end, begin = prompt.stop or "", (prompt.stop or "").replace("</", "<")
            words = f"{end}\n\n{words}\n\n{begin}"
        return self._said(opened(prompt), text, words)._replace(schema=prompt.schema)

    def _said(self, talk: Talk, text: str, words: str) -> Talk:
        tokens, more = self.tokenizer.count(text), self.tokenizer.count(words)
        if self.is_base_model:
            whole = talk.turns[0].content + text + words
            return Talk((Message("user", whole),), (talk.counts[0] + tokens + more,), talk.stop)
        turns = (*talk.turns, Message("assistant", text), Message("user", words))
        return Talk(turns, (*talk.counts, tokens, more), talk.stop)
