"""The paragraphs of a document, and how they are put together."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tasks.documents.document import Section
from tasks.documents.headings import shortened


class Block(NamedTuple):
    """A paragraph or a table: `level` is that of a heading, 0 for none; list items follow each other closely."""

    text: str
    level: int = 0
    item: bool = False
    sections: Sequence[Section] = ()


def joined(blocks: Iterable[Block]) -> tuple[str, tuple[Section, ...], list[int]]:
    """Return the Markdown of blocks, its sections, and where each block begins."""
    pieces: list[str] = []
    sections: list[Section] = []
    starts: list[int] = []
    at, item = 0, True
    for block in blocks:
        gap = "" if not pieces else "\n" if item and block.item else "\n\n"
        marks = "#" * block.level + " " if block.level else ""
        at, item = at + len(gap), block.item
        starts.append(at)
        if block.level:
            sections.append(Section(at, block.level, shortened(block.text)))
        sections.extend(section._replace(start=at + section.start) for section in block.sections)
        pieces += (gap, marks, block.text)
        at += len(marks) + len(block.text)
    return "".join(pieces) + "\n" * bool(pieces), tuple(sections), starts
