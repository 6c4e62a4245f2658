"""The places of a text's tokens: how far a number of them reaches, and how many end before an offset.

Prefix sums over the bytes of the tokens, turned into characters. Only the part of the
text around the chunk that is being cut is kept, so that memory doesn't grow with it.
Slices of a long text are tokenized ahead, one on each processor: tokenizers let go of
Python's lock.
"""

import os
from bisect import bisect_right
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tasks.chunking.boundaries import SLICE, slices
from tasks.chunking.tokenizer import Sizes, Tokenizer

PROCESSORS = os.cpu_count() or 1
CONTINUES = 0x80  # the two highest bits of a byte that continues a character are 10


class TokenIndex:
    """Where each token ends, in whole characters, as far as has been looked; tokens are numbered from 0."""

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self._text, self._tokenizer = text, tokenizer
        self._slices = slices(text)
        self._ends: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._forgotten = 0
        self._breaks: list[int] = []
        self._read = 0
        self._ahead: deque[Future[tuple[NDArray[np.int64], int, bool]]] = deque()

    def look_ahead(self, first: int, tokens: int) -> int | None:
        """Tokenize until `tokens` more than `first` are known; return how many are left if there are no more."""
        found = [self._ends]
        known = self._forgotten + len(self._ends)
        while known <= first + tokens and self._read < len(self._text):
            ends, self._read, seam = self._next()
            found.append(ends)
            known += len(ends)
            if not seam:
                self._breaks.append(self._read)
        if len(found) > 1:
            self._ends = np.concatenate(found)
        return None if known > first + tokens else known - first

    def _next(self) -> tuple[NDArray[np.int64], int, bool]:
        """Return the ends of the next slice's tokens, where it ends, and whether at a seam."""
        if len(self._text) <= 2 * SLICE:
            return self._tokenized(*next(self._slices))
        while len(self._ahead) <= 2 * PROCESSORS and (part := next(self._slices, None)):
            self._ahead.append(_pool().submit(self._tokenized, *part))
        return self._ahead.popleft().result()

    def _tokenized(self, start: int, end: int, seam: bool) -> tuple[NDArray[np.int64], int, bool]:  # noqa: FBT001
        part = self._text[start:end]
        return _ends(part, self._tokenizer.sizes(part)) + start, end, seam

    def tokens_before(self, offset: int) -> int:
        """Return how many tokens end at or before `offset`."""
        return self._forgotten + int(np.searchsorted(self._ends, offset, "right"))

    def end_of(self, tokens: int) -> int:
        """Return how many whole characters the first `tokens` tokens hold, as far as has been looked."""
        index = min(tokens - self._forgotten, len(self._ends)) - 1
        return int(self._ends[index]) if index >= 0 else 0

    def broken_between(self, start: int, end: int) -> bool:
        """Whether the text was split between the offsets where it has no seam: its tokens there aren't exact."""
        return bisect_right(self._breaks, start) < bisect_right(self._breaks, end)

    def forget(self, tokens: int) -> None:
        """Drop the first `tokens` tokens except the last of them, where that frees much."""
        spare = tokens - 1 - self._forgotten
        if spare > len(self._ends) // 2:
            self._ends = self._ends[spare:].copy()
            self._forgotten += spare


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    """The threads of the process that tokenize ahead, for all texts."""
    return ThreadPoolExecutor(PROCESSORS, thread_name_prefix="tokenizing")


def _ends(text: str, sizes: Sizes) -> NDArray[np.int64]:
    """Return the whole characters up to the end of each token: one that ends inside a character doesn't hold it."""
    ends: NDArray[np.int64] = np.cumsum(sizes)
    if text.isascii():
        return np.minimum(ends, len(text))
    raw = np.frombuffer(text.encode("utf-8", "replace"), dtype=np.uint8)
    begins = (raw & 0xC0) != CONTINUES
    whole = np.zeros(len(raw) + 1, dtype=np.int64)
    np.cumsum(begins, out=whole[1:])
    whole[:-1] -= ~begins
    found: NDArray[np.int64] = whole[np.minimum(ends, len(raw))]
    return found
