"""A paragraph as it is read, and how it is put into words."""

import re
from collections.abc import Sequence
from typing import Any

from tasks.documents.readers.docx.blocks import Block
from tasks.documents.readers.docx.inline import STRUCK, Piece, inline
from tasks.documents.readers.docx.names import VAL, W, is_on, number
from tasks.documents.readers.docx.numbering import BULLET, Numbering
from tasks.documents.readers.docx.styles import (
    NO_LEVEL,
    DocxStyle,
    Look,
    Number,
    Styles,
    heading_of,
    look_of,
    number_of,
)

HIDDEN = -1
# What stands beside the number of a page, and says nothing else.
_BESIDE_NUMBERS = (
    "page pages of p pg seite seiten von s página páginas pagina pagine de di del da sur sida sidor av side sider "
    "sivu strona stron z ze str stránka oldal сторінка страница стр из 第 页 頁 共 ページ 쪽 hal trang"
)
PAGE_WORDS = frozenset(_BESIDE_NUMBERS.split())
LETTERS = re.compile(r"[^\W\d_]+")


class Paragraph:
    """A paragraph: its runs so far (`pieces`), the marks of the one that is being read, and what follows it."""

    __slots__ = ("after", "base", "font", "heading", "joins", "marks", "number", "paged", "pieces", "style", "style_id")

    def __init__(self, style: DocxStyle, pieces: list[Piece]) -> None:
        self.pieces = pieces
        self.after: list[Block] = []
        self.joins = self.paged = False
        self.number: Number | None = None
        self.heading: int | None = None
        self.style_id = ""
        self.dress(style)

    def dress(self, style: DocxStyle) -> None:
        """Give it a style."""
        self.style, self.base = style, style.look
        self.plain()

    def plain(self) -> None:
        """Begin a run that looks as the paragraph's style says."""
        self.marks, self.font = _marks(self.base), self.base.font or ""

    def look(self, properties: Any, styles: Styles) -> None:
        """Let the run look as its properties say."""
        look = look_of(properties, styles).over(self.base)
        self.marks, self.font = _marks(look), look.font or ""

    def properties(self, element: Any, styles: Styles) -> None:
        """Take over the properties of a paragraph (w:pPr)."""
        for item in element:
            tag = item.tag
            if tag == f"{W}pStyle":
                self.style_id = item.get(VAL, "")
                self.dress(styles[self.style_id])
            elif tag == f"{W}numPr":
                self.number = number_of(element)
            elif tag == f"{W}outlineLvl":
                self.heading = heading_of(number(item.get(VAL), NO_LEVEL))
            elif tag == f"{W}framePr":
                self.joins = self.joins or item.get(f"{W}dropCap", "none") != "none"
            elif tag == f"{W}rPr":
                gone = item.find(f"{W}del") is not None or item.find(f"{W}moveFrom") is not None
                self.joins = self.joins or gone or is_on(item.find(f"{W}vanish"))

    def text(self) -> str:
        """Return what it says."""
        return inline(self.pieces).strip()

    def block(self, numbering: Numbering) -> Block | None:
        """Return it with the number of its list item, None where it says nothing."""
        text, (label, level) = self.text(), self._label(numbering)
        if self.paged and PAGE_WORDS.issuperset(LETTERS.findall(text.lower())):
            return None
        if not text and (not label or label.startswith(BULLET)):
            return None
        words = f"{label} {text}".strip() if label else text
        heading = self.style.heading if self.heading is None else self.heading
        if heading:
            return Block(" ".join((words if label != BULLET else text).split("\n")), heading)
        return Block(("  " * level if label else "") + words, item=bool(label))

    def _label(self, numbering: Numbering) -> tuple[str, int]:
        """Return what is printed before it as an item of a list, and the level of that list."""
        own, styled = self.number or Number(None, None), self.style.number or Number(None, None)
        list_id = own.list_id if own.list_id is not None else styled.list_id
        if list_id is None or list_id not in numbering:
            return "", 0
        level = own.level
        if level is None and own.list_id is None:
            level = numbering.level_of(list_id, self.style_id, self.style.owner)
        level = level if level is not None else styled.level or 0
        return numbering.label(list_id, level), level


def _marks(look: Look) -> int:
    return HIDDEN if look.hidden else (look.script or 0) | (STRUCK if look.struck else 0)


def block_of(pieces: Sequence[Piece]) -> Block:
    """Return the paragraph of runs whose end was never read."""
    return Block(inline(pieces).strip())
