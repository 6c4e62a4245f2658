"""What stands within a text without being a run of it: notes, text boxes, charts, equations, other files."""

from typing import TYPE_CHECKING, Any

from tasks.documents.readers.docx.blocks import Block
from tasks.documents.readers.docx.charts import chart_blocks, new_chart_blocks
from tasks.documents.readers.docx.diagrams import diagram_items
from tasks.documents.readers.docx.equations import linear
from tasks.documents.readers.docx.names import CX, DGM, ID, MC, A, C, M, O, R, V, W
from tasks.documents.readers.docx.paragraph import HIDDEN
from tasks.documents.readers.docx.walk import SKIP, Close, Handler, Skip

if TYPE_CHECKING:
    from tasks.documents.readers.docx.story import Story

# Extensions that Word knows: of alternatives, it shows the first whose extensions it knows.
KNOWN = ("http://schemas.microsoft.com/office/", "http://schemas.openxmlformats.org/")
NO_VALUES = "it keeps no values: open the document, update the chart from its workbook, and save it again"
EMBEDDED = "it is kept as another program's object: open it there, and copy its text into the document"


class EmbeddedObjects:
    """The reader of such things within a story."""

    def __init__(self, story: "Story") -> None:
        self._story = story
        self._chosen: list[bool] = []  # whether one of the alternatives has been read
        word: dict[str, Handler | Skip] = {
            "footnoteReference": self._note,
            "endnoteReference": self._note,
            "commentReference": self._note,
            "txbxContent": self._text_box,
            "drawing": self._drawing,
            "pict": self._drawing,
            "object": self._drawing,
            "altChunk": self._chunk,
            "subDoc": self._subdocument,
            "control": self._control,
        }
        self.handlers: dict[Any, Handler | Skip] = {W + name: handler for name, handler in word.items()} | {
            f"{MC}AlternateContent": self._alternatives,
            f"{MC}Choice": self._choice,
            f"{MC}Fallback": self._fallback,
            f"{M}oMath": self._equation,
            f"{A}p": self._drawn_text,
            f"{C}chart": self._chart,
            f"{CX}chart": self._chart,
            f"{DGM}relIds": self._diagram,
            f"{V}textpath": self._word_art,
            f"{O}OLEObject": self._ole,
        }

    def _alternatives(self, _: Any) -> Close:
        self._chosen.append(False)
        return self._end_alternatives

    def _end_alternatives(self) -> None:
        self._chosen.pop()

    def _choice(self, element: Any) -> Close | Skip:
        needed = (element.nsmap.get(prefix, "") for prefix in element.get("Requires", "").split())
        if not self._chosen or self._chosen[-1] or not all(uri.startswith(KNOWN) for uri in needed):
            return SKIP
        before, story = self._story.written, self._story

        def end() -> None:
            self._chosen[-1] = story.written > before

        return end

    def _fallback(self, _: Any) -> Skip | None:
        return SKIP if self._chosen and self._chosen[-1] else None

    def _note(self, element: Any) -> Skip:
        kind = element.tag[len(W) : -len("Reference")]
        if self._story.paragraph.marks != HIDDEN:
            self._story.say_plainly(self._story.notes.label(kind, element.get(f"{W}id", "")))
        return SKIP

    def _text_box(self, _: Any) -> Close:
        blocks: list[Block] = []
        self._story.open(blocks)

        def end() -> None:
            self._story.close()
            self._story.put(*blocks)

        return end

    def _drawing(self, _: Any) -> Skip | None:
        return SKIP if self._story.paragraph.marks == HIDDEN else None

    def _equation(self, element: Any) -> Skip:
        self._story.say_plainly(linear(element))
        return SKIP

    def _drawn_text(self, element: Any) -> Skip:
        text = "".join(part.text or "" for part in element.iter(f"{A}t"))
        if text.strip():
            self._story.put(Block(text.strip()))
        return SKIP

    def _word_art(self, element: Any) -> Skip:
        text = element.get("string", "").strip()
        if text:
            self._story.put(Block(text))
        return SKIP

    def _chart(self, element: Any) -> Skip:
        story, words = self._story, "chart"
        read = new_chart_blocks if element.tag.startswith(CX) else chart_blocks
        name = story.source.related(story.part, element.get(ID, ""), words)
        blocks = story.source.drawn(name, words, lambda tree: map(Block, read(tree)))
        if name is not None and not any(block.text.startswith("|") for block in blocks):
            story.source.lost(f"{words} ({name})", NO_VALUES)
        story.put(*blocks)
        return SKIP

    def _diagram(self, element: Any) -> Skip:
        story, words = self._story, "diagram"
        name = story.source.related(story.part, element.get(f"{R}dm", ""), words)
        story.put(
            *story.source.drawn(name, words, lambda tree: (Block(item, item=True) for item in diagram_items(tree)))
        )
        return SKIP

    def _chunk(self, element: Any) -> Skip:
        story, words = self._story, "inserted file"
        name = story.source.related(story.part, element.get(ID, ""), words)
        if name is not None:
            story.put(*story.source.chunk(name, words))
        return SKIP

    def _subdocument(self, element: Any) -> Skip:
        relation = self._story.source.relations(self._story.part).get(element.get(ID, ""))
        target = relation.target if relation else "no name"
        self._story.source.lost(f"subdocument ({target})", "it is a file of its own: give it as INPUT, too")
        return SKIP

    def _control(self, element: Any) -> Skip:
        name = element.get(f"{W}name", "no name")
        self._story.source.lost(f"form control ({name})", "its value is kept as a program's object: type it as text")
        return SKIP

    def _ole(self, element: Any) -> Skip:
        name = f"object ({element.get('ProgID', 'no name')}, {element.get('ObjectID', 'no number')})"
        self._story.source.lost(name, EMBEDDED)
        return SKIP
