"""A page's letters: what they are, and where on the page each stands."""

import ctypes
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium_c

# A word, with the blanks behind it.
WORD = re.compile(r"(?P<word>\S+)[^\S\r\n]*")


class Box(NamedTuple):
    """Where a letter stands, in points."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def height(self) -> float:
        """From its lowest part to its highest."""
        return self.top - self.bottom


class Glyphs:
    """All letters of a page, also those outside of what is seen of it, by their index in `text`."""

    def __init__(self, textpage: Any) -> None:
        self.text, self._places = _text(textpage)
        self._textpage = textpage
        self._raw = textpage.raw
        # Figures are asked about by what stands before and behind them.
        self._known: dict[int, tuple[Box, float]] = {}
        self._left, self._right, self._bottom, self._top = (ctypes.c_double() for _ in range(4))

    def box(self, index: int) -> Box:
        """Return where a letter stands."""
        return self.shape(index)[0]

    def shape(self, index: int) -> tuple[Box, float]:
        """Return where a letter stands, and the size of its font, as its text is told to have it."""
        if (known := self._known.get(index)) is None:
            place = self._places[index]
            pdfium_c.FPDFText_GetCharBox(self._raw, place, self._left, self._right, self._bottom, self._top)
            box = Box(self._left.value, self._bottom.value, self._right.value, self._top.value)
            known = self._known[index] = box, pdfium_c.FPDFText_GetFontSize(self._raw, place)
        return known

    def angle(self, index: int) -> float:
        """Return how far a letter is turned, in radians."""
        return float(pdfium_c.FPDFText_GetCharAngle(self._raw, self._places[index]))

    def is_nameless(self, index: int) -> bool:
        """Whether its font has no Unicode for a letter."""
        return bool(pdfium_c.FPDFText_HasUnicodeMapError(self._raw, self._places[index]) == 1)

    def index_at(self, x: float, y: float, across: float, along: float) -> int | None:
        """Return the letter at a point, or so near to it; None where there is none."""
        place = self._textpage.get_index(x, y, across, along)
        return None if place is None else min(bisect_left(self._places, place), len(self.text) - 1)

    def beyond(self, page: Box) -> Iterator[tuple[int, int]]:
        """Yield the spans of the words, or of their letters, that stand outside of a page's box."""
        for found in WORD.finditer(self.text):
            letters = range(*found.span("word"))
            outside = [index for index in letters if _apart(self.box(index), page)]
            if len(outside) == len(letters):
                yield found.span()
            else:
                yield from ((index, index + 1) for index in outside)


def _text(textpage: Any) -> tuple[str, Sequence[int]]:
    """Return a page's text, and the number that PDFium has for each of its letters.

    It leaves out some where it gives all of a page's text, those beyond 16 bits among them.
    """
    count = textpage.count_chars()
    text = textpage.get_text_range()
    if len(text) == count:
        return text, range(count)
    codes = [pdfium_c.FPDFText_GetUnicode(textpage.raw, place) for place in range(count)]
    places = [place for place, code in enumerate(codes) if code]
    return "".join(chr(codes[place]) for place in places), places


def _apart(one: Box, other: Box) -> bool:
    beside = one.right < other.left or one.left > other.right
    return beside or one.top < other.bottom or one.bottom > other.top
