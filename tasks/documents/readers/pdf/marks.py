"""Figures that are raised or lowered: powers, indexes and the marks of notes, which would fuse with others."""

import re
from collections.abc import Iterator
from itertools import islice

from tasks.documents.readers.pdf.glyphs import Box, Glyphs

SIGNS = r"[-+\u2212\u2013]"
# A figure, with or without a sign, behind another, a letter, a bracket, or what ends a number or sentence.
FUSED = re.compile(
    rf"(?:(?<=[0-9A-Za-z)\]])|(?<=[0-9A-Za-z)\]][.,%])|(?<=[0-9A-Za-z)\]][.,%]{{2}}))(?:[0-9]|(?<=[^.,%]){SIGNS}(?=[0-9]))"
)
# A number, whose first figures may be the mark of a note.
NUMBER = re.compile(r"(?<![0-9A-Za-z)\].,%])[0-9]{2,}")
# Where PDFium ends a line between two letters, as a raised figure has a line of its own.
BROKEN = re.compile(rf"(?<=[0-9])\r?\n(?=[^\r\n])|(?<=[A-Za-z)\].,%])\r?\n(?={SIGNS}?[0-9])")
FIGURE = re.compile(rf"{SIGNS}?[0-9]")
DIGITS = re.compile(r"[0-9]+")
LETTER = re.compile(r"\S")
BEHIND = ".,%"
SMALLER, RAISED = 0.85, 0.2
MOST_LOOKED_AT = 5000

Replaced = tuple[int, int, str]


def marks(glyphs: Glyphs) -> Iterator[Replaced]:
    """Yield the spans to be replaced by `^` or `_`, before raised and lowered figures.

    Where a line is broken there, it is joined.
    """
    text = glyphs.text
    for found in islice(FUSED.finditer(text), MOST_LOOKED_AT):
        if mark := _mark(glyphs, found.start() - 1, found.end() - 1 + (not found[0].isdecimal())):
            yield found.start(), found.start(), mark
    for found in islice(NUMBER.finditer(text), MOST_LOOKED_AT):
        yield from _leading(glyphs, *found.span())
    for found in islice(BROKEN.finditer(text), MOST_LOOKED_AT):
        yield from _joined(glyphs, *found.span())


def _leading(glyphs: Glyphs, start: int, end: int) -> Iterator[Replaced]:
    """Part raised figures from the larger number that they stand before."""
    if mark := _mark(glyphs, end - 1, start):
        larger = next(index for index in range(start + 1, end) if not _mark(glyphs, end - 1, index))
        yield start, start, mark
        yield larger, larger, " "


def _joined(glyphs: Glyphs, start: int, end: int) -> Iterator[Replaced]:
    """Join what goes on after a broken line, with a mark where figures would fuse."""
    text = glyphs.text
    letter = LETTER.search(text, end)
    if letter is None or not _is_one_line(glyphs.box(start - 1), glyphs.box(letter.start())):
        return
    figure = FIGURE.match(text, end)
    mark = _mark(glyphs, start - 1, figure.end() - 1) if figure else ""
    before = _first(text, start - 1)
    if figure and not mark and before is not None and (lead := _mark(glyphs, figure.end() - 1, start - 1)):
        yield before, before, lead
        mark = " "
    yield start, end, mark


def _first(text: str, index: int) -> int | None:
    """Return where the number begins whose last figure is at an index; None where something stands before it."""
    while text[index].isdecimal():
        index -= 1
        if index < 0 or text[index].isspace():
            return index + 1
    return None


def _is_one_line(before: Box, after: Box) -> bool:
    """Whether what stands after a break goes on where the line before it ends."""
    lowest, highest = max(before.bottom, after.bottom), min(before.top, after.top)
    height = max(before.height, after.height)
    return highest - lowest > -RAISED * height and before.right - 1 <= after.left < before.right + 1.5 * height


def _mark(glyphs: Glyphs, before: int, index: int) -> str:
    """Return the mark of a figure that is smaller than what stands before it, and higher or lower.

    Of a point or another sign behind a number it is the number that tells.
    """
    text = glyphs.text
    while before > 0 and text[before] in BEHIND:
        before -= 1
    (box, size), (other, others_size) = glyphs.shape(index), glyphs.shape(before)
    by_size = size < SMALLER * others_size
    if not by_size and not (text[before].isdecimal() and box.height < SMALLER * other.height):
        return ""
    if box.bottom > other.bottom + RAISED * other.height:
        return "^"
    return "_" if box.bottom < other.bottom - RAISED * other.height / 2 else ""
