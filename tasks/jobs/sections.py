"""The rows that lead from a place in a text back to its page and its headings."""

from itertools import pairwise

from tasks.chunking.outline import Outline
from tasks.documents.document import Content
from tasks.results.schemas import Row

# As pdftotext and RFCs part pages, and our readers' pages, slides and sheets.
PAGE_BREAK = "\f"


def section_rows(document_id: str, content: Content) -> list[Row]:
    """Return a row for each stretch of text on one page under the same headings; none where there are neither."""
    if PAGE_BREAK not in content.text and not content.sections:
        return []
    breaks = [place + 1 for place, character in enumerate(content.text) if character == PAGE_BREAK]
    outline = Outline(content.sections, code=content.code)
    starts = sorted({0, *breaks, *(section.start for section in content.sections)} - {len(content.text)})
    rows: list[Row] = []
    page = 0
    for position, (start, end) in enumerate(pairwise([*starts, len(content.text)])):
        while page < len(breaks) and breaks[page] <= start:
            page += 1
        rows.append(
            {
                "document_id": document_id,
                "position": position,
                "page": page + 1 if breaks else None,
                "section": outline.at(start) or None,
                "start_char": start,
                "end_char": end,
            }
        )
    return rows
