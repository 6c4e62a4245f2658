"""The places of a text's tokens: how far a number of them reaches, and how many end before a place.

Prefix sums over the bytes of the tokens, turned into characters. Only the part of the
text around the chunk that is being cut is kept, so that memory doesn't grow with it.
"""

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from tasks.chunking.seams import slices
from tasks.chunking.tokenizer import Sizes, Tokenizer

CONTINUES = 0x80  # the two highest bits of a byte that continues a character are 10


class Places:
    """Where each token ends, in whole characters, as far as has been looked; tokens are numbered from 0."""

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self._text, self._tokenizer = text, tokenizer
        self._slices = slices(text)
        self._ends: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._forgotten = 0
        self._breaks: list[int] = []
        self._read = 0

    def look_ahead(self, first: int, tokens: int) -> int | None:
        """Tokenize until `tokens` more than `first` are known; return how many are left if there are no more."""
        found = [self._ends]
        known = self._forgotten + len(self._ends)
        while known <= first + tokens and self._read < len(self._text):
            start, end, seam = next(self._slices)
            part = self._text[start:end]
            found.append(_ends(part, self._tokenizer.sizes(part)) + start)
            known += len(found[-1])
            self._read = end
            if not seam:
                self._breaks.append(end)
        if len(found) > 1:
            self._ends = np.concatenate(found)
        return None if known > first + tokens else known - first

    def tokens_before(self, place: int) -> int:
        """Return how many tokens end at `place` or before it."""
        return self._forgotten + int(np.searchsorted(self._ends, place, "right"))

    def end_of(self, tokens: int) -> int:
        """Return how many whole characters the first `tokens` tokens hold, as far as has been looked."""
        index = min(tokens - self._forgotten, len(self._ends)) - 1
        return int(self._ends[index]) if index >= 0 else 0

    def broken_between(self, start: int, end: int) -> bool:
        """Whether the text was parted there where it has no seam, so that its tokens aren't known exactly."""
        return bisect_right(self._breaks, start) < bisect_right(self._breaks, end)

    def forget(self, tokens: int) -> None:
        """Forget the first `tokens` tokens but one."""
        spare = tokens - 1 - self._forgotten
        if spare > len(self._ends) // 2:
            self._ends = self._ends[spare:].copy()
            self._forgotten += spare


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
