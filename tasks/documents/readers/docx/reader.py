"""DOCX to Markdown: all that a reader of the document sees as text, each thing once."""

from collections.abc import Iterator
from typing import Any

from tasks.base.errors import DocumentFailed
from tasks.documents.document import Content
from tasks.documents.readers.docx.blocks import Block, joined
from tasks.documents.readers.docx.names import ID, W, is_on
from tasks.documents.readers.docx.notes import FORMS, Footnotes, author
from tasks.documents.readers.docx.numbering import Numbering
from tasks.documents.readers.docx.source import GONE, Source
from tasks.documents.readers.docx.story import Story
from tasks.documents.readers.docx.styles import Styles
from tasks.documents.readers.package import parsed


def read_docx(data: bytes, depth: int = 0) -> Content:
    """Return a document: its headers, its text, its notes and comments, its footers; without its pictures.

    A part that can't be read is `unread`, and the rest is read all the same. `depth` is how
    many files hold this one. Raises DocumentFailed with reason `damaged` where the main part is
    none.
    """
    return _DocxReader(Source(data, depth)).content()


class _DocxReader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._styles = Styles(source.tree(source.companion("styles"), "styles"))
        self._numbering = Numbering(source.tree(source.companion("numbering"), "numbers of lists"), self._styles)
        self._notes = Footnotes()

    def content(self) -> Content:
        source = self._source
        tree, damage = source.main_tree()
        if tree is None:
            raise DocumentFailed("damaged", f"this DOCX file is damaged ({damage}): save it again")
        self._margins(tree, "header")
        self._story(source.main).read(tree, source.blocks)
        if damage:
            source.lost(f"the text from there on ({source.main})", f"the file is damaged ({damage}): save it again")
        if self._numbering.missed and source.companion("numbering") is None:
            source.lost("numbers of lists", GONE)
        for kind in FORMS:
            self._read_notes(kind)
        self._margins(tree, "footer")
        text, sections, starts = joined(source.blocks)
        return Content(text, sections, unread=source.unread(starts, len(text)))

    def _story(self, part: str) -> Story:
        return Story(self._source, part, self._styles, self._numbering, self._notes)

    def _margins(self, tree: Any, kind: str) -> None:
        """Read the headers or the footers that are shown, each text once."""
        known: set[str] = set()
        ids = dict.fromkeys(self._shown(tree, kind))
        for name in dict.fromkeys(self._source.related(self._source.main, relation_id, kind) for relation_id in ids):
            root = self._source.tree(name, kind)
            if name is None or root is None:
                continue
            blocks = self._story(name).read(root, [])
            new = [block._replace(level=0) for block in blocks if block.text not in known]
            known.update(block.text for block in new)
            self._source.blocks.extend(new)

    def _shown(self, tree: Any, kind: str) -> Iterator[str]:
        """Yield the relationships of the headers or footers that Word shows."""
        settings = parsed(self._source.package.read(self._source.companion("settings") or "").data)[0]
        even = settings is not None and is_on(settings.find(f"{W}evenAndOddHeaders"))
        for section in tree.iter(f"{W}sectPr"):
            first = is_on(section.find(f"{W}titlePg"))
            for reference in section.iter(f"{W}{kind}Reference"):
                type_ = reference.get(f"{W}type", "default")
                if type_ == "default" or (type_ == "first" and first) or (type_ == "even" and even):
                    yield reference.get(ID, "")

    def _read_notes(self, kind: str) -> None:
        """Read the notes of a kind that the text refers to."""
        notes = self._notes.of(kind)
        first = next(notes, None)
        if first is None:
            return
        source, name = self._source, self._source.companion(f"{kind}s")
        if name is None:
            source.lost(f"{kind}s", GONE)
            return
        root = source.tree(name, f"{kind}s")
        held = {} if root is None else {element.get(f"{W}id"): element for element in root.iter(f"{W}{kind}")}
        story = self._story(name)
        for note in (first, *notes):
            if note.note_id not in held:
                if not source.has_lost(f"{kind}s ({name})"):
                    source.lost(f"{kind} {note.label}", GONE)
                continue
            element = held[note.note_id]
            blocks = story.read(element, [])
            head = f"{note.label}: {author(kind, element)}{blocks[0].text if blocks else ''}"
            source.blocks += [Block(head), *(block._replace(level=0) for block in blocks[1:])]
