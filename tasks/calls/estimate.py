"""What the calls over a document come to, by arithmetic: chunks, calls, tokens."""

import math
from dataclasses import dataclass

from tasks.calls.cutting import SEAM, Cutter
from tasks.chunking.chat_template import MARGIN, TEMPLATES

# The shipped prompts ask for at most 150 to 200 words; most answers are shorter.
USUAL_ANSWER = 120
# Chunks are cut at boundaries, so that they are filled by so much.
FILL = 0.97
# Of prose, where nothing is counted.
CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Expected:
    """Sums over documents; tokens as the provider is expected to count them."""

    chunks: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: "Expected") -> "Expected":
        """Return both together."""
        return Expected(
            self.chunks + other.chunks,
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )

    def times(self, factor: float) -> "Expected":
        """Return so many times as much."""
        values = (self.chunks, self.calls, self.prompt_tokens, self.completion_tokens)
        return Expected(*(round(value * factor) for value in values))


def of_text(tokens: int, cutter: Cutter, answer: int) -> Expected:
    """Return what a text of so many tokens comes to, not cut yet, with answers of `answer` tokens."""
    if tokens <= cutter.room(cutter.prompts.stuff):
        return of_chunks(1, tokens, cutter, answer)
    return of_chunks(math.ceil(tokens / max(1.0, FILL * cutter.chunk_room(""))), tokens, cutter, answer)


def of_chunks(chunks: int, tokens: int, cutter: Cutter, answer: int) -> Expected:
    """Return what so many chunks with so many tokens together come to."""
    prompts, refine = cutter.prompts, cutter.strategy == "refine"
    around = TEMPLATES[cutter.route.template].overhead(1) - MARGIN
    template = prompts.stuff if chunks == 1 else prompts.map
    prompt = tokens + chunks * (cutter.tokens(template) + around)
    if chunks > 1 and refine:
        prompt += (chunks - 1) * (answer + cutter.tokens(prompts.refine) - cutter.tokens(template))
    calls, waiting = chunks, 1 if refine else chunks
    group = max(2, cutter.room(prompts.reduce) // (answer + SEAM))
    while waiting > 1 and cutter.reduces:
        merged = math.ceil(waiting / group)
        # A group of one goes up as it is.
        asked = merged - (waiting % group == 1)
        prompt += waiting * (answer + 1) + asked * (cutter.tokens(prompts.reduce) + around)
        calls, waiting = calls + asked, merged
    return Expected(chunks, calls, prompt, calls * answer)


def usual_answer(cutter: Cutter, *, custom: bool) -> int:
    """Return the tokens of an answer as far as they can be foreseen."""
    most = cutter.route.window.max_answer
    return max(1, most // 2) if custom else min(most, USUAL_ANSWER)
