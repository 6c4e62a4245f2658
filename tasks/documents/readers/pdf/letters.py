"""What a page's letters are beyond their codes: raised or lowered, without Unicode, or two that are one sign."""

import ctypes
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium_c

# A figure behind another, a letter or a bracket may be a power, an index or the mark of a note.
FUSED = re.compile(r"(?<=[0-9A-Za-z)\]])[0-9]")
# Where PDFium ends a line between two letters.
LETTER = re.compile(r"\S")
BROKEN = re.compile(r"(?<=[0-9])\r?\n(?=[^\r\n])|(?<=[A-Za-z)\]])\r?\n(?=[0-9])")
# In radians; and so many letters tell whether some of a page's are turned.
TURNED, TURNS = 0.1, 10
TOUCHING, MOST_TURNED = re.compile(r"(?<=\S)(?=\S)"), 20_000
SMALLER, RAISED = 0.85, 0.2
MOST_LOOKED_AT = 5000
# Letters are asked about one by one: so many tell of all.
SAMPLE, MOST_NAMELESS = 40, 0.2
ARABIC = re.compile(r"[\ufb50-\ufdff\ufe70-\ufefc]")
LAM_ALEF = re.compile("[\u0622\u0623\u0625\u0627]\u0644")
NO_LETTER = re.compile(r"[\ufffd\ue000-\uf8ff\x00\x01\x03-\x08\x0e-\x1f]")


class Box(NamedTuple):
    """Where a letter stands, in points."""

    left: float
    bottom: float
    right: float
    top: float


def powers(text: str, textpage: Any) -> Iterator[tuple[int, int, str]]:
    """Yield the spans to be replaced by `^` or `_`: before raised and lowered figures, which would fuse with others.

    A line is broken there at times, for a raised figure has a line of its own: then it is joined.
    """
    for found in islice(FUSED.finditer(text), MOST_LOOKED_AT):
        start = found.start()
        if mark := _mark(text, textpage, start - 1, start):
            yield start, start, mark
    for found in islice(BROKEN.finditer(text), MOST_LOOKED_AT):
        start, end = found.span()
        letter = LETTER.search(text, end)
        if letter and _is_one_line(_box(textpage, start - 1), _box(textpage, letter.start())):
            fuses = text[start - 1].isalnum() and text[end].isdecimal()
            yield start, end, _mark(text, textpage, start - 1, end) if fuses else ""


def is_turned(text: str, textpage: Any) -> bool:
    """Whether some of a page's text is written upwards, downwards or upside down."""
    angle = pdfium_c.FPDFText_GetCharAngle
    return any(abs(angle(textpage.raw, index)) > TURNED for index in range(0, len(text), max(1, len(text) // TURNS)))


def breaks(text: str, textpage: Any) -> Iterator[tuple[int, int, str]]:
    """Yield where the lines of turned text end, which PDFium runs together."""
    for found in islice(TOUCHING.finditer(text), MOST_TURNED):
        before, after = _box(textpage, found.start() - 1), _box(textpage, found.start())
        across = max(after.left - before.right, before.left - after.right)
        along = max(after.bottom - before.top, before.bottom - after.top)
        size = max(
            *(box.right - box.left for box in (before, after)), *(box.top - box.bottom for box in (before, after))
        )
        if max(across, along) > size / 2:
            yield found.start(), found.start(), "\n"


def _is_one_line(before: Box, after: Box) -> bool:
    """Whether what stands after a break goes on where the line before it ends."""
    lowest, highest = max(before.bottom, after.bottom), min(before.top, after.top)
    height = max(before.top - before.bottom, after.top - after.bottom)
    return highest - lowest > -RAISED * height and before.right - 1 <= after.left < before.right + 1.5 * height


def _mark(text: str, textpage: Any, before: int, index: int) -> str:
    """Return the mark of a figure that is smaller than what stands before it, and higher or lower."""
    size = pdfium_c.FPDFText_GetFontSize
    box, other = _box(textpage, index), _box(textpage, before)
    heights = box.top - box.bottom, other.top - other.bottom
    by_size = size(textpage.raw, index) < SMALLER * size(textpage.raw, before)
    if not by_size and not (text[before].isdecimal() and heights[0] < SMALLER * heights[1]):
        return ""
    if box.bottom > other.bottom + RAISED * heights[1]:
        return "^"
    return "_" if box.bottom < other.bottom - RAISED * heights[1] / 2 else ""


def _box(textpage: Any, index: int) -> Box:
    values = [ctypes.c_double() for _ in range(4)]
    left, right, bottom, top = values
    pdfium_c.FPDFText_GetCharBox(textpage.raw, index, left, right, bottom, top)
    return Box(left.value, bottom.value, right.value, top.value)


def in_order(text: str, textpage: Any) -> str:
    """Return a text with the two letters of each ligature of lam and alef in their order: one sign is both."""
    swapped = list(text)
    for found in LAM_ALEF.finditer(text):
        first = found.start()
        if _box(textpage, first) == _box(textpage, first + 1):
            swapped[first], swapped[first + 1] = text[first + 1], text[first]
    return "".join(swapped)


def named(text: str) -> str:
    """Return a text with Arabic letters by their names, not by the shapes that they take in a word."""
    return ARABIC.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)


def nameless(text: str, textpage: Any) -> tuple[int, int]:
    """Return how many of the letters that were looked at have no Unicode, and how many those were."""
    letters = [index for index, letter in enumerate(text) if not letter.isspace()]
    looked_at = letters[:: max(1, len(letters) // SAMPLE)]
    wrong = pdfium_c.FPDFText_HasUnicodeMapError
    bad = sum(bool(NO_LETTER.match(text[index])) or wrong(textpage.raw, index) == 1 for index in looked_at)
    return bad, len(looked_at)
