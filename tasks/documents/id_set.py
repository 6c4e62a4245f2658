"""Which identifiers have been seen: 8 bytes each, in tables that are never rebuilt."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SMALLEST = 2**16
FULLEST = 0.6
FREE = 0

Words = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]


class CompactIdSet:
    """A set of strings, kept as 64-bit hashes in slots that a second 64-bit hash determines.

    Two strings are confused only where the first hashes are equal and the slots close to each other: a chance
    below 1 in 10^11 for ten million strings. A full table stays as it is, and one of twice its size is added.
    """

    def __init__(self, smallest: int = SMALLEST) -> None:
        """`smallest` is how many places the first table has: a power of 2."""
        self._tables = [np.zeros(smallest, np.uint64)]
        self._held = 0

    def add(self, names: Sequence[str]) -> Bits:
        """Add the names; return for each whether it had been there, or stands earlier among them."""
        signs = _words([hash(name) for name in names])
        signs[signs == FREE] = 1
        places = _words([hash(name + "\0") for name in names])
        known = _repeated(names)
        for table in self._tables[:-1]:
            known |= _found(table, signs, places)
        new = np.flatnonzero(~known)
        while self._held + len(new) > FULLEST * len(self._tables[-1]):
            known |= _found(self._tables[-1], signs, places)
            new = np.flatnonzero(~known)
            self._tables.append(np.zeros(2 * len(self._tables[-1]), np.uint64))
            self._held = 0
        known[new] = _found(self._tables[-1], signs[new], places[new], put=True)
        self._held += int(np.count_nonzero(~known[new]))
        return known


def _repeated(names: Sequence[str]) -> Bits:
    """Whether each name stands earlier among them."""
    repeated = np.zeros(len(names), np.bool_)
    if len(set(names)) < len(names):
        here: set[str] = set()
        for number, name in enumerate(names):
            repeated[number] = name in here
            here.add(name)
    return repeated


def _words(hashes: Sequence[int]) -> Words:
    return np.array(hashes, np.int64).view(np.uint64)


def _found(table: Words, signs: Words, places: Words, *, put: bool = False) -> Bits:
    """Whether each sign stands in the table, from its place on, before a free one; `put` there if not.

    Signs that are put differ from each other.
    """
    found = np.zeros(len(signs), np.bool_)
    left, at, step = _ways(table, signs, places)
    while len(left):
        held, sought = table[at], signs[left]
        found[left[held == sought]] = True
        if put:
            table[at[held == FREE]] = sought[held == FREE]  # of two that want one slot, the last one wins
            held = table[at]
        on = (held != sought) & (held != FREE)
        left, at, step = left[on], (at[on] + step[on]) & (len(table) - 1), step[on]
    return found


def _ways(table: Words, signs: Words, places: Words) -> tuple[Numbers, Numbers, Numbers]:
    """Return each name's number, first place, and step: an odd one comes to every place of the table."""
    numbers = places.view(np.int64)
    return np.arange(len(signs)), numbers & (len(table) - 1), (numbers >> 32) | 1
