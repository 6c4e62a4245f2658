"""A text of a document (its body, a header, a note) from its elements (ECMA-376, part 1, 17)."""

from typing import Any

from tasks.documents.readers.docx.blocks import Block
from tasks.documents.readers.docx.fields import CHECKED, UNCHECKED, FieldCodes
from tasks.documents.readers.docx.grid import DocxGrid
from tasks.documents.readers.docx.inline import PLAIN, Piece
from tasks.documents.readers.docx.names import W14, W
from tasks.documents.readers.docx.notes import Footnotes
from tasks.documents.readers.docx.numbering import Numbering
from tasks.documents.readers.docx.objects import EmbeddedObjects
from tasks.documents.readers.docx.paragraph import HIDDEN, Paragraph, block_of
from tasks.documents.readers.docx.signs import in_font, sign
from tasks.documents.readers.docx.source import Source
from tasks.documents.readers.docx.styles import Styles
from tasks.documents.readers.docx.walk import SKIP, Close, Handler, Skip, walk

# What holds no text, or text that was taken out, or says how another looks.
_NO_TEXT = (
    "bookmarkStart bookmarkEnd proofErr lastRenderedPageBreak commentRangeStart commentRangeEnd tblPr tblGrid tcPr "
    "trPr sectPr del moveFrom delText softHyphen annotationRef rt background tblPrEx sdtEndPr rPrChange pPrChange"
)
SKIPPED = _NO_TEXT.split()


class KeptText:
    """The blocks of a body or a cell, and the runs of a paragraph that goes on with the next one."""

    def __init__(self, blocks: list[Block]) -> None:
        self.blocks = blocks
        self.carried: list[Piece] = []

    def flush(self) -> None:
        """End the paragraph that was to go on."""
        if self.carried:
            self.blocks.append(block_of(self.carried))
            self.carried = []


class Story:
    """The reader of the text of one part. `written` grows with whatever is read."""

    def __init__(self, source: Source, part: str, styles: Styles, numbering: Numbering, notes: Footnotes) -> None:
        self.source, self.part, self.styles, self.numbering, self.notes = source, part, styles, numbering, notes
        self.written = 0
        self.paragraph = Paragraph(styles.default, [])
        self._kept = [KeptText([])]
        self._paragraphs: list[Paragraph] = []
        self._box = ""  # the state of a check box, until its mark goes by
        self._handlers = (
            self._own() | DocxGrid(self).handlers | FieldCodes(self).handlers | EmbeddedObjects(self).handlers
        )

    def read(self, root: Any, blocks: list[Block]) -> list[Block]:
        """Add the blocks within an element to `blocks`, and return them."""
        self.open(blocks)
        self.paragraph = Paragraph(self.styles.default, [])
        walk(root, self._handlers)
        self._end_loose()
        self.close()
        return blocks

    def open(self, blocks: list[Block]) -> None:
        """Let what is read go into these blocks."""
        self._kept.append(KeptText(blocks))

    def close(self) -> None:
        """Let it go where it went before."""
        self._kept.pop().flush()

    def flush(self) -> None:
        """End a paragraph that was to go on with the next one."""
        self._kept[-1].flush()

    def add(self, *blocks: Block) -> None:
        """Add blocks here."""
        self._kept[-1].blocks.extend(blocks)

    def say(self, text: str) -> None:
        """Add text to the paragraph."""
        if text and self.paragraph.marks != HIDDEN:
            self.written += 1
            self.paragraph.pieces.append((self.paragraph.marks, text))

    def say_plainly(self, text: str) -> None:
        """Add text that is neither raised nor lowered."""
        if self.paragraph.marks != HIDDEN:
            self.written += 1
            self.paragraph.pieces.append((PLAIN, text))

    def put(self, *blocks: Block) -> None:
        """Add blocks after the paragraph that is being read, or here, where none is."""
        self.written += len(blocks)
        (self.paragraph.after if self._paragraphs else self._kept[-1].blocks).extend(blocks)

    def _own(self) -> dict[Any, Handler | Skip]:
        handlers: dict[str, Handler | Skip] = dict.fromkeys(SKIPPED, SKIP)
        handlers |= {"p": self._p, "pPr": self._p_pr, "r": self._r, "rPr": self._r_pr, "t": self._t}
        handlers |= {"tab": self._tab, "ptab": self._tab, "br": self._br, "cr": self._br, "sym": self._sym}
        handlers |= {"noBreakHyphen": self._hyphen, "sdt": self._sdt, "sdtPr": self._sdt_pr}
        return {W + name: handler for name, handler in handlers.items()}

    def _p(self, _: Any) -> Close:
        kept = self._kept[-1]
        self._paragraphs.append(self.paragraph)
        self.paragraph = Paragraph(self.styles.default, kept.carried)
        kept.carried = []
        return self._end_p

    def _end_p(self) -> None:
        paragraph, kept = self.paragraph, self._kept[-1]
        self.paragraph = self._paragraphs.pop()
        if paragraph.joins:
            kept.carried = paragraph.pieces
        elif block := paragraph.block(self.numbering):
            kept.blocks.append(block)
        kept.blocks.extend(paragraph.after)

    def _end_loose(self) -> None:
        """Keep runs that stand outside of all paragraphs."""
        if self.paragraph.pieces:
            self._kept[-1].blocks.append(block_of(self.paragraph.pieces))

    def _p_pr(self, element: Any) -> Skip:
        self.paragraph.properties(element, self.styles)
        return SKIP

    def _r(self, _: Any) -> None:
        self.paragraph.plain()

    def _r_pr(self, element: Any) -> Skip:
        self.paragraph.look(element, self.styles)
        return SKIP

    def _t(self, element: Any) -> Skip:
        text = element.text or ""
        if len(element):  # comments part it
            text = "".join(element.itertext())
        if "\n" in text:
            text = text.replace("\n", " ")
        if self._box:
            text, self._box = self._box, ""
        self.say(in_font(self.paragraph.font, text) if self.paragraph.font else text)
        return SKIP

    def _tab(self, _: Any) -> Skip:
        self.say("\t")
        return SKIP

    def _br(self, _: Any) -> Skip:
        self.say("\n")
        return SKIP

    def _hyphen(self, _: Any) -> Skip:
        self.say("-")
        return SKIP

    def _sym(self, element: Any) -> Skip:
        try:
            shown = sign(element.get(f"{W}font", ""), int(element.get(f"{W}char", ""), 16))
        except (ValueError, OverflowError):
            return SKIP
        shown, self._box = self._box or shown, ""
        self.say(shown)
        return SKIP

    def _sdt(self, _: Any) -> Close:
        return self._end_box

    def _sdt_pr(self, element: Any) -> Skip:
        box = element.find(f"{W14}checkbox")
        if box is not None:
            state = box.find(f"{W14}checked")
            checked = state is not None and state.get(f"{W14}val", "1") in ("1", "true", "on")
            self._box = CHECKED if checked else UNCHECKED
        return SKIP

    def _end_box(self) -> None:
        shown, self._box = self._box, ""
        self.say(shown)
