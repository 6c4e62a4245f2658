"""PDF to text, by PDFium: pages, without their running heads, with mended words."""

import contextlib
import re
from collections.abc import Iterator
from itertools import accumulate, islice
from operator import itemgetter

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from tasks.base.errors import DocumentFailed
from tasks.documents.document import Content, Section, Unread
from tasks.documents.headings import LONGEST_TITLE, shortened
from tasks.documents.readers.bounds import check_growth
from tasks.documents.readers.pdf.page import PdfPage, read_page
from tasks.documents.readers.pdf.running import without_running_lines

# Between pages, as pdftotext does: the form feeds before a place tell its page.
PAGE = "\n\f"
# The Latin ligatures of Unicode's Alphabetic Presentation Forms.
LIGATURES = str.maketrans(
    {"\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl", "\ufb05": "st", "\ufb06": "st"}
)
# PDFium's own mark of a hyphen that only ends a line, or a hyphen between small letters there.
HYPHEN = re.compile(r"[\x02\ufffe]\n?|(?<=[^\W\d_])[-\u00ad]\n(?=[^\W\d_A-Z])")
MOST_BOOKMARKS = 10_000
ONLY_IMAGES = "this PDF holds images of text only: run text recognition (OCR) over it first"
XFA = "its fields are an XFA form, which only Adobe's programs show: print it to a PDF from one of them"


def read_pdf(data: bytes) -> Content:
    """Return the text of all pages, with PAGE between them, and the sections that its bookmarks tell.

    Raises DocumentFailed with reason `damaged`, `encrypted`, `no_text` or `too_large`.
    """
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if getattr(error, "err_code", None) == pdfium_c.FPDF_ERR_PASSWORD:
            raise DocumentFailed("encrypted", "this PDF needs a password: save it without one") from error
        words = str(error).rstrip(".")
        raise DocumentFailed("damaged", f"this PDF is damaged ({words}): save or download it again") from error
    found = list(_pages(document, len(data)))
    if not any(page.text.strip() for page in found):
        is_scan = any(page.unread for page in found)
        raise DocumentFailed("no_text", ONLY_IMAGES if is_scan else "the pages of this PDF are blank")
    pages = [mend(page) for page in without_running_lines([page.text for page in found])]
    starts = accumulate((len(page) + len(PAGE) for page in pages), initial=0)
    numbered = enumerate(zip(found, starts, strict=False), 1)
    unread = [Unread(start, f"page {number}", page.unread) for number, (page, start) in numbered if page.unread]
    if document.get_formtype() == pdfium_c.FORMTYPE_XFA_FULL:
        unread.insert(0, Unread(0, "form", XFA))
    return Content(PAGE.join(pages), tuple(_sections(document, pages)), unread=tuple(unread))


def _pages(document: pdfium.PdfDocument, size: int) -> Iterator[PdfPage]:
    """Yield the pages; one that is damaged is unread."""
    with contextlib.suppress(pdfium.PdfiumError):
        document.init_forms()
    total = 0
    for number in range(len(document)):
        try:
            page = read_page(document, number)
        except pdfium.PdfiumError as error:
            page = PdfPage("", f"it is damaged ({error}): save or download the document again")
        total += len(page.text)
        check_growth(total, size)  # ten thousand pages may be one and the same
        yield page


def _sections(document: pdfium.PdfDocument, pages: list[str]) -> Iterator[Section]:
    """Yield a section a bookmark, where its title stands on its page, else at the page's beginning."""
    starts = list(accumulate((len(page) + len(PAGE) for page in pages), initial=0))
    done = -1
    for page, level, title in sorted(_bookmarks(document, len(pages)), key=itemgetter(0)):
        begin = max(done + 1 - starts[page], 0)
        found = _titled(title).search(pages[page], begin) or _titled(title, "").search(pages[page], begin)
        start = starts[page] + found.start() if found else starts[page]
        if start > done:
            done = start
            yield Section(start, level, shortened(title))


def _bookmarks(document: pdfium.PdfDocument, pages: int) -> Iterator[tuple[int, int, str]]:
    """Yield each bookmark's page from 0, level and title."""
    with contextlib.suppress(pdfium.PdfiumError):  # a document without a sound table of contents has none
        for mark in islice(document.get_toc(), MOST_BOOKMARKS):
            target = mark.get_dest()
            page, title = target.get_index() if target else None, mark.get_title().strip()
            if page is not None and 0 <= page < pages and title:
                yield page, mark.level + 1, title[:LONGEST_TITLE]


def _titled(title: str, around: str = "(?:^|(?<=\\n))[ \\t]*") -> re.Pattern[str]:
    """Return what finds a title, whatever its case and white space: at the beginning of a line, or anywhere."""
    return re.compile(around + r"\s+".join(map(re.escape, title.split())), re.IGNORECASE)


def mend(page: str) -> str:
    """Join words that were parted at the end of a line, and take ligatures apart."""
    return HYPHEN.sub("", page).translate(LIGATURES)
