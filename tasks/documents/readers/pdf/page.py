"""One page of a PDF: its text as a person reads it, and why it couldn't be read where it couldn't."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from tasks.documents.readers.pdf.fields import fields
from tasks.documents.readers.pdf.glyphs import Box, Glyphs
from tasks.documents.readers.pdf.grid import might_hold_table, with_tables
from tasks.documents.readers.pdf.letters import MOST_NAMELESS, breaks, in_order, is_turned, named, nameless
from tasks.documents.readers.pdf.marks import marks
from tasks.documents.readers.pdf.running import LONGEST, NUMBER

# A page without a word, but for the number that a scanner's program stamps on it, may be a scan, or text as outlines.
WORD = re.compile(r"[^\W\d_]{3,}")
LARGE, MANY_SHAPES = 0.5, 200
OCR = "run text recognition (OCR) over it first"


class PdfPage(NamedTuple):
    """The text of a page, and why it, or a part of it, couldn't be read."""

    text: str
    unread: str = ""


def read_page(document: pdfium.PdfDocument, number: int) -> PdfPage:
    """Return a page. Raises PdfiumError where it is damaged."""
    page = document[number]
    textpage = page.get_textpage()
    try:
        glyphs = Glyphs(textpage)
        outside = list(_outside(glyphs, page, textpage))
        printed = _with(glyphs.text, ((start, end, "") for start, end in outside)) if outside else glyphs.text
        text, last = _refined(glyphs, document, page, outside)
        text = named(text).replace("\r\n", "\n").replace("\r", "\n")
        if might_hold_table(text):
            text = with_tables(text, textpage)
        text = "\n".join([text, *last])
        bad, looked_at = nameless(glyphs)
        if bad > MOST_NAMELESS * looked_at:
            return PdfPage(text, f"{bad} of {looked_at} letters that were looked at have no Unicode: {OCR}")
        return PdfPage(text, _scanned(page, printed))
    finally:
        textpage.close()
        page.close()


def _outside(glyphs: Glyphs, page: Any, textpage: Any) -> Iterator[tuple[int, int]]:
    """Yield what is written outside of a page, as what was cut off in another program: nobody sees it."""
    if _letters(textpage.get_text_bounded()) != _letters(glyphs.text):
        yield from glyphs.beyond(Box(*page.get_bbox()))


def _letters(text: str) -> str:
    """Return a text to compare: PDFium has two signs for a hyphen at a line's end, by which way it is asked."""
    return "".join(text.split()).replace("\x02", "\ufffe")


def _refined(
    glyphs: Glyphs, document: pdfium.PdfDocument, page: Any, outside: Sequence[tuple[int, int]]
) -> tuple[str, list[str]]:
    """Return a page's text with powers marked, ligatures in order and fields filled in; and what is nowhere in it."""
    found = breaks(glyphs) if is_turned(glyphs) else marks(glyphs)
    dropped = {index for span in outside for index in range(*span)}
    replaced = [one for one in found if not dropped.intersection((one[0], one[1]))]
    replaced += [(start, end, "") for start, end in outside]
    last: list[str] = []
    if pdfium_c.FPDFPage_GetAnnotCount(page.raw) > 0:
        written, last = fields(glyphs, page, document.formenv.raw if document.formenv else None)
        replaced += ((index, index, words) for index, words in written)
    return _with(in_order(glyphs), replaced), last


def _with(text: str, replaced: Iterable[tuple[int, int, str]]) -> str:
    """Return a text with spans replaced, none of which overlap."""
    pieces, done = list[str](), 0
    for start, end, words in sorted(replaced):
        piece = text[done:start]
        pieces += [piece.rstrip(" ") if words.startswith(" ") else piece, words]
        done = end
    return "".join([*pieces, text[done:]])


def _scanned(page: Any, text: str) -> str:
    """Say why a page without text isn't an empty one; nothing where it is, or has text."""
    if WORD.search(text) and not NUMBER.fullmatch(text.strip()[:LONGEST]):
        return ""
    width, height = page.get_size()
    shapes = 0
    for one in page.get_objects(max_depth=3):
        if one.type == pdfium_c.FPDF_PAGEOBJ_IMAGE and (not text.strip() or _area(one) > LARGE * width * height):
            return f"an image of text: {OCR}"
        shapes += one.type == pdfium_c.FPDF_PAGEOBJ_PATH
    return f"text drawn as shapes: {OCR}" if shapes > MANY_SHAPES and not text.strip() else ""


def _area(image: Any) -> float:
    left, bottom, right, top = image.get_bounds()
    return float((right - left) * (top - bottom))
