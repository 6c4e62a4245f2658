"""A conversation with a model: its first prompt, and its continuation after an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tasks.chunking.tokenizer import Tokenizer
from tasks.providers.protocol import Message, TokenProbability


class Prompt(NamedTuple):
    """A prompt's text, its tokens by the model's tokenizer, what ends the answer, and the schema it is to follow.

    `is_bound`: it has no more tokens than that, but they weren't counted.
    """

    text: str
    tokens: int
    stop: str | None = None
    schema: Mapping[str, Any] | None = None
    is_bound: bool = False


class Text(NamedTuple):
    """An answer's text, and whether it is still cut off at its end.

    `tokens` are its own with their probabilities, where they were asked for; `labels` those of the labels in it.
    """

    text: str
    cut: bool
    tokens: tuple[TokenProbability, ...] = ()
    labels: Mapping[str, float] | None = None


class Conversation(NamedTuple):
    """A conversation that a model is to continue: its turns, and each one's tokens (a bound, if `is_bound`)."""

    turns: tuple[Message, ...]
    counts: tuple[int, ...]
    stop: str | None
    schema: Mapping[str, Any] | None = None
    is_bound: bool = False


def begun_with(prompt: Prompt) -> Conversation:
    """Return the conversation that a prompt begins."""
    return Conversation((Message("user", prompt.text),), (prompt.tokens,), prompt.stop, prompt.schema, prompt.is_bound)


@dataclass(frozen=True, slots=True)
class ConversationBuilder:
    """Continues conversations; for a base model, one is a single text. Not on the event loop: it counts tokens."""

    tokenizer: Tokenizer
    continue_prompt: str
    is_base_model: bool

    def continued(self, conversation: Conversation, text: str) -> Conversation:
        """Return the conversation that asks to continue an answer; it has no schema."""
        return self._said(conversation, text, "" if self.is_base_model else self.continue_prompt)

    def replied(self, prompt: Prompt, text: str, words: str) -> Conversation:
        """Return the conversation that replies to an answer with `words`; a base model gets a new mark to fill in."""
        if self.is_base_model:
            end, begin = prompt.stop or "", (prompt.stop or "").replace("</", "<")
            words = f"{end}\n\n{words}\n\n{begin}"
        return self._said(begun_with(prompt), text, words)._replace(schema=prompt.schema)

    def _said(self, conversation: Conversation, text: str, words: str) -> Conversation:
        tokens, more = self.tokenizer.count(text), self.tokenizer.count(words)
        counts = self.counted(conversation)
        if self.is_base_model:
            whole = conversation.turns[0].content + text + words
            return Conversation((Message("user", whole),), (counts[0] + tokens + more,), conversation.stop)
        turns = (*conversation.turns, Message("assistant", text), Message("user", words))
        return Conversation(turns, (*counts, tokens, more), conversation.stop)

    def counted(self, conversation: Conversation) -> tuple[int, ...]:
        """Return the tokens of each turn, counted now where the first's are a bound."""
        first, *others = conversation.counts
        return (
            (self.tokenizer.count(conversation.turns[0].content), *others)
            if conversation.is_bound
            else (first, *others)
        )
