"""Which call ids the ledger may hold: a Bloom filter (Burton Bloom, 1970).

It answers "surely not" without a look into the file, which is the usual case of a
job's calls. It takes 16 MB however many answers there are: at ten million one in
two hundred unknown ids is looked up for nothing, which is all that a wrong "maybe" costs.
"""

from collections.abc import Iterable
from itertools import islice

import numpy as np

BYTES = 2**24
# A call id is a SHA-256 in hexadecimal: any digits of it are as good as a hash of it.
DIGITS, PROBES = 8, 4
BITS = BYTES * 8
IDS_AT_ONCE = 10_000


class BloomFilter:
    """A growing set of call ids; `in` may be true for an id that isn't in it, but is never false for one that is."""

    def __init__(self) -> None:
        self._bits = bytearray(BYTES)

    def add(self, call_id: str) -> None:
        """Remember an id."""
        for place in _places(call_id):
            self._bits[place >> 3] |= 1 << (place & 7)

    def add_all(self, call_ids: Iterable[str]) -> int:
        """Remember ids, many at once; return how many. Raises ValueError for one that isn't an id."""
        ids, count = iter(call_ids), 0
        bits = np.frombuffer(self._bits, np.uint8)
        while some := list(islice(ids, IDS_AT_ONCE)):
            digits = bytes.fromhex("".join([one[: DIGITS * PROBES] for one in some]))
            places = np.frombuffer(digits, ">u4").astype(np.int64) % BITS
            if len(places) != len(some) * PROBES:
                raise ValueError("an id is too short")
            np.bitwise_or.at(bits, places >> 3, np.left_shift(1, places & 7).astype(np.uint8))
            count += len(some)
        return count

    def __contains__(self, call_id: str) -> bool:
        return all(self._bits[place >> 3] & (1 << (place & 7)) for place in _places(call_id))


def _places(call_id: str) -> list[int]:
    return [int(call_id[start : start + DIGITS], 16) % BITS for start in range(0, DIGITS * PROBES, DIGITS)]
