"""What a page's letters are beyond their codes: turned, without Unicode, or two that are one sign."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice

from tasks.documents.readers.pdf.glyphs import Glyphs

# In radians; and so many letters tell whether some of a page's are turned.
TURNED, TURNS = 0.1, 10
TOUCHING, MOST_TURNED = re.compile(r"(?<=\S)(?=\S)"), 20_000
# Letters are asked about one by one: so many tell of all.
SAMPLE, MOST_NAMELESS = 50, 0.2
ARABIC = re.compile(r"[\ufb50-\ufdff\ufe70-\ufefc]")
LAM_ALEF = re.compile("[\u0622\u0623\u0625\u0627]\u0644")
NO_LETTER = re.compile(r"[\ufffd\ue000-\uf8ff\x00\x01\x03-\x08\x0e-\x1f]")


def is_turned(glyphs: Glyphs) -> bool:
    """Whether some of a page's text is written upwards, downwards or upside down."""
    count = len(glyphs.text)
    return any(abs(glyphs.angle(index)) > TURNED for index in range(0, count, max(1, count // TURNS)))


def breaks(glyphs: Glyphs) -> Iterator[tuple[int, int, str]]:
    """Yield where the lines of turned text end, which PDFium runs together."""
    for found in islice(TOUCHING.finditer(glyphs.text), MOST_TURNED):
        before, after = glyphs.box(found.start() - 1), glyphs.box(found.start())
        across = max(after.left - before.right, before.left - after.right)
        along = max(after.bottom - before.top, before.bottom - after.top)
        size = max(*(box.right - box.left for box in (before, after)), *(box.height for box in (before, after)))
        if max(across, along) > size / 2:
            yield found.start(), found.start(), "\n"


def in_order(glyphs: Glyphs) -> str:
    """Return the text with the two letters of each ligature of lam and alef in their order: one sign is both."""
    text = glyphs.text
    swapped = list(text)
    for found in LAM_ALEF.finditer(text):
        first = found.start()
        if glyphs.box(first) == glyphs.box(first + 1):
            swapped[first], swapped[first + 1] = text[first + 1], text[first]
    return "".join(swapped)


def named(text: str) -> str:
    """Return a text with Arabic letters by their names, not by the shapes that they take in a word."""
    return ARABIC.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)


def nameless(glyphs: Glyphs) -> tuple[int, int]:
    """Return how many of the letters that were looked at have no Unicode, and how many those were."""
    text = glyphs.text
    looked_at = [index for index in range(0, len(text), max(1, len(text) // SAMPLE)) if not text[index].isspace()]
    bad = sum(bool(NO_LETTER.match(text[index])) or glyphs.is_nameless(index) for index in looked_at)
    return bad, len(looked_at)
