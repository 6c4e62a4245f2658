"""How many more tokens a route counts than we do, learned from what its answers say they used.

A provider may put more around a prompt than its model's own template, or use another
tokenizer than the catalogue says. What is learned makes the room for text smaller, never
larger. It is kept beside the ledger: a document is cut again as it was cut when its
answers were paid for.
"""

import contextlib
import json
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from tasks.ledger.state import State

NOTE = "measures.jsonl"
# A shorter prompt (in tokens) shows the overhead of each prompt, a longer one the ratio of the counts.
LONG = 1000
# A larger difference isn't due to counting: for example, the provider asked a model several times.
MOST_RATIO, MOST_EXTRA = 2.0, 4096
SPARE = 1.01
# Where an overflow doesn't say how large the window is.
STEP = 1.5
LEAST_WINDOW = 256
# OpenAI, vLLM and llama.cpp; Gemini; Mistral ("with 65536 maximum context length"); Anthropic ("> 200000 maximum").
# Alibaba's DashScope ("Range of input length should be [1, 30720]", https://github.com/QwenLM/Qwen-Agent/issues/615)
# tells the prompt's most alone: taken for the window, it leaves the prompt no more than that.
WINDOW = re.compile(
    r"(?:context (?:length|size|window)|maximum number of tokens)\D{0,20}?(?P<after>\d{3,})"
    r"|(?P<before>\d{3,}) maximum|input length should be \[\d+, ?(?P<range>\d{3,})\]",
    re.IGNORECASE,
)


class TokenMeasure(NamedTuple):
    """A route counts `extra` tokens more than we do, or `ratio` times as many, whichever is more."""

    extra: int = 0
    ratio: float = 1.0

    def most(self, tokens: int) -> int:
        """Return how many tokens by our count are within `tokens` by the route's."""
        return min(tokens - self.extra, int(tokens / self.ratio))

    def told(self, counted: int) -> int:
        """Return how many tokens the route counts where we count so many."""
        return max(counted + self.extra, math.ceil(counted * self.ratio))


OURS = TokenMeasure()


class TokenCalibration:
    """What has been learned of one route, oldest first; `state` keeps it."""

    def __init__(self, state: State, route: str) -> None:
        self._state, self._route = state, route
        self.all = [OURS, *_kept(state.read(NOTE), route)]

    @property
    def latest(self) -> TokenMeasure:
        """The latest measure, which the budget uses."""
        return self.all[-1]

    def look_again(self) -> None:
        """Take in what other processes have learned since; from any thread."""
        kept = [OURS, *_kept(self._state.read(NOTE), self._route)]
        self.all = [*kept, *(measure for measure in self.all if measure not in kept)]

    def learn(self, counted: int, told: int) -> None:
        """Learn from an answer: our count of its prompt, and the route's. On the event loop."""
        extra, ratio = self.latest
        if counted < LONG and extra < told - counted <= MOST_EXTRA:
            self._add(TokenMeasure(math.ceil((told - counted) * SPARE), ratio))
        elif counted >= LONG and counted + extra < told > counted * ratio and told <= counted * MOST_RATIO:
            self._add(TokenMeasure(extra, math.ceil(told / counted * SPARE * 100) / 100))

    def overflowed(self, measure: TokenMeasure, context: int, said: str) -> None:
        """Learn from a refused prompt that was measured so, in a window of `context` tokens as we know it."""
        if measure != self.latest:
            return  # another document has learned it meanwhile
        found = WINDOW.search(said)
        window = int(found[found.lastindex or 0]) if found else context
        factor = context / window * SPARE if LEAST_WINDOW <= window < context else STEP
        self._add(TokenMeasure(measure.extra, round(measure.ratio * factor, 4)))

    def _add(self, measure: TokenMeasure) -> None:
        self.all.append(measure)
        # A line that a kill left unfinished ends where this one begins.
        # If it can't be written, a resumed job may pay for a document's calls again; this job continues anyway.
        self._state.append(NOTE, "\n" + json.dumps([self._route, *measure]) + "\n")


def _kept(note: str, route: str) -> Iterator[TokenMeasure]:
    """Yield what earlier runs learned of a route."""
    for line in note.splitlines():
        with contextlib.suppress(ValueError, TypeError):  # unfinished, or damaged
            name, extra, ratio = json.loads(line)
            measure = TokenMeasure(int(extra), float(ratio))
            if name == route and measure.extra >= 0 and 1.0 <= measure.ratio < math.inf:
                yield measure
