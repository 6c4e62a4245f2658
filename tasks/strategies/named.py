"""The strategies by their names in options, and estimates of texts with them."""

import math

from tasks.calls.cutting import Cutter
from tasks.calls.estimate import FILL, USUAL_ANSWER, Expected
from tasks.strategies.concatenate import Concatenate
from tasks.strategies.map_reduce import MapReduce
from tasks.strategies.refine import Refine
from tasks.strategies.strategy import Strategy
from tasks.strategies.stuff import Stuff

EVERY: tuple[Strategy, ...] = (MapReduce("auto"), Stuff(), MapReduce(), Refine(), Concatenate())
STRATEGIES = {strategy.name: strategy for strategy in EVERY}


def of_text(tokens: int, cutter: Cutter, answer: int | None) -> Expected:
    """Estimate an uncut text of so many tokens, with answers of `answer` tokens (None: as long as the chunks)."""
    if tokens <= cutter.whole_room(""):
        return of_chunks(1, tokens, cutter, answer)
    return of_chunks(math.ceil(tokens / max(1.0, FILL * cutter.chunk_room(""))), tokens, cutter, answer)


def of_chunks(chunks: int, tokens: int, cutter: Cutter, answer: int | None) -> Expected:
    """Return what so many chunks with so many tokens together come to."""
    return STRATEGIES[cutter.strategy.name].estimate(cutter, chunks, tokens, answer)


def usual_answer(cutter: Cutter, *, custom: bool) -> int | None:
    """Return the tokens of an answer as far as they can be foreseen; None where it is as long as its chunk."""
    if cutter.strategy.keeps_length:
        return None
    most = cutter.route.window.max_answer
    return max(1, most // 2) if custom else min(most, USUAL_ANSWER)
