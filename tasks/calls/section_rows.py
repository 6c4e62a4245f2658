"""The rows that lead from an offset in a text back to its page and its headings, and to what couldn't be read."""

import re
from bisect import bisect_right
from itertools import pairwise
from operator import itemgetter

from tasks.chunking.outline import Outline
from tasks.documents.document import Content, Unread
from tasks.results.schemas import Row

# As pdftotext and RFCs part pages, and our readers' pages, slides and sheets.
PAGE_BREAK = "\f"
# The parts that a document's row names; all of them stand in `sections`.
MOST_NAMED = 10


def section_rows(document_id: str, content: Content) -> list[Row]:
    """Return a row for each stretch of text on one page under the same headings, and for each part that wasn't read.

    There are none where a text has neither pages, headings nor unread parts.
    """
    if not content.sections and not content.unread and PAGE_BREAK not in content.text:
        return []
    breaks = [found.end() for found in re.finditer(PAGE_BREAK, content.text)]
    unread = [(part.start, part.start, f"{part.part}: {part.reason}") for part in content.unread]
    outline = Outline(content.sections, code=content.code)
    return [
        {
            "document_id": document_id,
            "position": position,
            "page": bisect_right(breaks, start) + 1 if breaks else None,
            "section": outline.at(start) or None,
            "start_char": start,
            "end_char": end,
            "unread": words,
        }
        for position, (start, end, words) in enumerate(
            sorted([*_spans(content, breaks), *unread], key=itemgetter(0, 1))
        )
    ]


def _spans(content: Content, breaks: list[int]) -> list[tuple[int, int, str | None]]:
    """Return the stretches of text between page breaks and headings."""
    if not breaks and not content.sections:
        return []
    starts = sorted({0, *breaks, *(section.start for section in content.sections)} - {len(content.text)})
    return [(start, end, None) for start, end in pairwise([*starts, len(content.text)])]


def unread_words(unread: tuple[Unread, ...]) -> str:
    """Say in one line which parts of a document couldn't be read, and why: neighbours of the same reason together."""
    named = [f"{part.part} ({part.reason})" for part in unread[:MOST_NAMED]]
    for number in range(len(named) - 1):
        if unread[number].reason == unread[number + 1].reason:
            named[number] = unread[number].part
    more = f", and {len(unread) - MOST_NAMED} more (see sections)" if len(unread) > MOST_NAMED else ""
    return f"not read: {', '.join(named)}{more}"
