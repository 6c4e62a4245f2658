"""Sums expected for the calls over documents: chunks, calls, tokens."""

from dataclasses import dataclass

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
