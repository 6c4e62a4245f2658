"""PDF to text, by PDFium: pages, without their running heads, with mended words."""

import re
from collections import Counter

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from tasks.documents.readers.bounds import check_growth
from tasks.errors import DocumentFailed

# Between pages, as pdftotext does: the form feeds before a place tell its page.
PAGE = "\n\f"
# The Latin ligatures of Unicode's Alphabetic Presentation Forms.
LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st"}
)
# PDFium's own mark of a hyphen that only ends a line, or a hyphen between small letters there.
HYPHEN = re.compile(r"[\x02\ufffe]\n?|(?<=[^\W\d_])[-\u00ad]\n(?=[^\W\d_A-Z])")
DIGITS = re.compile(r"\d+")
FEWEST_PAGES = 3


def read_pdf(data: bytes) -> str:
    """Return the text of all pages, with PAGE between them.

    Raises DocumentFailed with reason `damaged`, `encrypted`, `no_text` or `too_large`.
    """
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if getattr(error, "err_code", None) == pdfium_c.FPDF_ERR_PASSWORD:
            raise DocumentFailed("encrypted", "this PDF needs a password: save it without one") from error
        words = str(error).rstrip(".")
        raise DocumentFailed("damaged", f"this PDF is damaged ({words}): save or download it again") from error
    pages = _without_running_lines(_pages(document, len(data)))
    if not any(page.strip() for page in pages):
        raise DocumentFailed("no_text", "this PDF holds images of text only: run text recognition (OCR) over it first")
    return PAGE.join(mend(page) for page in pages)


def _pages(document: pdfium.PdfDocument, size: int) -> list[str]:
    pages: list[str] = []
    total = 0
    for number in range(len(document)):
        try:
            page = document[number]
            text = page.get_textpage().get_text_bounded()
            page.close()
        except pdfium.PdfiumError as error:
            raise DocumentFailed("damaged", f"page {number + 1} of this PDF is damaged ({error})") from error
        pages.append(text.replace("\r\n", "\n").replace("\r", "\n"))
        total += len(text)
        check_growth(total, size)  # ten thousand pages may be one and the same
    return pages


def mend(page: str) -> str:
    """Join words that were parted at the end of a line, and take ligatures apart."""
    return HYPHEN.sub("", page).translate(LIGATURES)


def _without_running_lines(pages: list[str]) -> list[str]:
    """Leave out first and last lines that come on most pages, numbers apart: heads, feet and page numbers."""
    if len(pages) < FEWEST_PAGES:
        return pages
    lines = [page.strip("\n").split("\n") for page in pages]
    for end in (0, -1):
        seen = Counter(DIGITS.sub("0", page[end].strip()) for page in lines if page)
        running = {line for line, times in seen.items() if line and times > len(pages) / 2}
        for page in lines:
            if page and DIGITS.sub("0", page[end].strip()) in running:
                del page[end]
    return ["\n".join(page) for page in lines]
