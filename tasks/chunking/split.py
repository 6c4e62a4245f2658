"""Cut a text into chunks that fit a number of tokens.

Each cut first finds how far the tokens reach, by counting a few prefixes whose
lengths close in on the limit (a secant search, since tokens grow nearly evenly
with characters), then steps back to the best boundary in the last half: the end
of a paragraph, else of a line, a sentence, a word, else any character. A chunk
costs a handful of counts of its own size, so the whole is linear in the text.

Laws: the chunks joined are the text; each, counted on its own, is within the
limit; offsets are in characters and strictly increase.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import regex

from tasks.errors import DocumentFailed

Count = Callable[[str], int]

# From the best boundary to the least; each match ends where a chunk may end.
BOUNDARIES = (
    re.compile(r"\n[^\S\n]*\n\s*"),
    re.compile(r"\n\s*"),
    re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？][」』”’）]*"),  # noqa: RUF001 - the marks of CJK
    re.compile(r"\s+|[、，；：]"),  # noqa: RUF001
)
CLOSE_ENOUGH = 0.98
PROBES = 8
LARGEST_STEP = 4.0
FIRST_GUESS = 3.0  # characters a token
# Extended grapheme clusters (Unicode UAX #29): what a reader sees as one character.
CLUSTER = regex.compile(r"\X")
AROUND = 64  # characters on each side of a cut in which its cluster is looked for


@dataclass(frozen=True, slots=True)
class Chunk:
    """A half-open span [start, end) of the text, in characters, and its tokens."""

    start: int
    end: int
    tokens: int


def split(text: str, limit: int, count: Count) -> Iterator[Chunk]:
    """Yield the chunks of `text`, in order, each at most `limit` tokens by `count`.

    Raises DocumentFailed with reason `does_not_fit` where not even one character
    (a handful of tokens in the worst of scripts) is within the limit.
    """
    start, ratio = 0, FIRST_GUESS
    while start < len(text):
        reach = _reach(text, start, limit, count, ratio)
        chunk = _step_back(text, start, reach, limit, count)
        ratio = max((chunk.end - chunk.start) / max(chunk.tokens, 1), 0.1)
        yield chunk
        start = chunk.end


def _reach(text: str, start: int, limit: int, count: Count, ratio: float) -> int:
    """Return the end of a prefix within the limit, at least CLOSE_ENOUGH to it if it can be."""
    low, high = start, len(text)  # low fits (the empty prefix); high is unknown
    high_known = False
    guess = start + max(1, int(limit * ratio))
    for _ in range(PROBES):
        guess = min(max(guess, low + 1), high - 1 if high_known else high)
        tokens = count(text[start:guess])
        if tokens <= limit:
            low = guess
            if guess == len(text) or tokens >= limit * CLOSE_ENOUGH:
                break
        else:
            high, high_known = guess, True
        if high_known and high - low <= 1:
            break
        # A probe over cheap text must not overshoot into dear text without bounds.
        longer = min(limit * 0.995 / max(tokens, 1), LARGEST_STEP)
        guess = start + max(1, int((guess - start) * longer))
    return low if low > start else _at_least_one(text, start, high, limit, count)


def _at_least_one(text: str, start: int, high: int, limit: int, count: Count) -> int:
    """Halve until something fits: only tiny limits and odd texts come here."""
    end = high
    while end - start > 1:
        end = start + (end - start) // 2
        if count(text[start:end]) <= limit:
            return end
    if count(text[start : start + 1]) <= limit:
        return start + 1
    raise DocumentFailed("does_not_fit", f"a single character takes more than the {limit} tokens left for text")


def _step_back(text: str, start: int, reach: int, limit: int, count: Count) -> Chunk:
    """Move the end back to the best boundary whose chunk, counted on its own, fits."""
    if reach == len(text):
        return Chunk(start, reach, count(text[start:reach]))
    # A prefix of a text that fits may need a token more than the text: `reach`
    # itself, which was counted, is the last resort.
    for end in (_boundary(text, start, reach), _whole(text, start, reach), reach):
        tokens = count(text[start:end])
        if tokens <= limit:
            break
    return Chunk(start, end, tokens)


def _boundary(text: str, start: int, reach: int) -> int:
    """Return the last boundary of the best kind in the second half of [start, reach)."""
    half = start + (reach - start) // 2
    for pattern in BOUNDARIES:
        last = None
        for match in pattern.finditer(text, half, reach):
            last = match
        if last is not None and last.end() > start:
            return _whole(text, start, last.end())
    return _whole(text, start, reach)


def _whole(text: str, start: int, end: int) -> int:
    """Move `end` back so that it parts no grapheme cluster, unless all since `start` is one."""
    for cluster in CLUSTER.finditer(text, max(start, end - AROUND), end + AROUND):
        if cluster.end() >= end:
            whole: int = end if cluster.end() == end else cluster.start()
            return whole if whole > start else end
    return end
