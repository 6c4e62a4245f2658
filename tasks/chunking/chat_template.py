"""What a model's chat template adds to the tokens of the messages' contents.

Measured with mistral-common 1.13's `encode_chat_completion`: a first user turn
costs 8 tokens on v1 and 3 on the later ones, an answer 1, a later user turn 7
or 2. Providers may template in their own way, so this is an estimate for the
far side of the wire and MARGIN covers the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

# Joining texts can make a token or two more than the parts had.
MARGIN = 8


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """Tokens added by the first user turn, by each answer, and by later user turns."""

    first: int
    answer: int
    later: int

    def overhead(self, turns: int) -> int:
        """Return the tokens added to a conversation of `turns` (odd: user, answer, user …)."""
        pairs = (turns - 1) // 2
        return self.first + pairs * (self.answer + self.later) + MARGIN


TEMPLATES = {
    "mistral-v1": ChatTemplate(first=8, answer=1, later=7),
    "mistral": ChatTemplate(first=3, answer=1, later=2),
    # <|im_start|>user … <|im_end|> and the opening of the answer, and in SmolLM2's
    # case a system turn of its own: 30 in all; 64 where the server's is unknown.
    "chatml": ChatTemplate(first=40, answer=8, later=12),
    "unknown": ChatTemplate(first=64, answer=16, later=16),
    "none": ChatTemplate(first=1, answer=0, later=0),
}


@dataclass(frozen=True, slots=True)
class Window:
    """The limits of one model at one provider, in tokens.

    `context` holds prompt and answer together; `max_answer` is the most that one
    call may ask for.
    """

    context: int
    max_answer: int

    def room(self, overhead: int) -> int:
        """Return the tokens left for text beside the answer and `overhead`."""
        return self.context - self.max_answer - overhead


def conversation_tokens(contents: Sequence[int], template: ChatTemplate) -> int:
    """Return the tokens of a whole prompt, given those of each message's content."""
    return sum(contents) + template.overhead(len(contents))
