"""Pages to a text: sheets and slides, each with its heading and what of it couldn't be read."""

from collections.abc import Iterable
from typing import NamedTuple

from tasks.documents.document import Content, Section, Unread
from tasks.documents.headings import shortened
from tasks.documents.readers.pdf.reader import PAGE


class Lost(NamedTuple):
    """A part of a page that couldn't be read, and how many characters after the page's heading it would stand."""

    at: int
    part: str
    reason: str


class Page(NamedTuple):
    """A page: its heading, "" for none, the text below it, and what was lost of it."""

    heading: str
    body: str
    lost: tuple[Lost, ...] = ()


def joined(pages: Iterable[Page]) -> Content:
    """Return the pages as one text; each heading begins a section."""
    pieces: list[str] = []
    sections: list[Section] = []
    unread: list[Unread] = []
    at = 0
    for page in pages:
        at += len(PAGE) * bool(pieces)
        heading = f"# {' '.join(page.heading.split())}\n\n" if page.heading else ""
        if heading:
            sections.append(Section(at, 1, shortened(page.heading)))
        start = at + len(heading)
        unread += (Unread(start + min(lost.at, len(page.body)), lost.part, lost.reason) for lost in page.lost)
        pieces.append(heading + page.body)
        at = start + len(page.body)
    return Content(PAGE.join(pieces), tuple(sections), unread=tuple(sorted(unread)))
