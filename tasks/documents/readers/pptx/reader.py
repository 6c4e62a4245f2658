"""PPTX to Markdown: a page a slide, its texts by where they stand, its notes and comments."""

from collections.abc import Iterator
from typing import Any

from tasks.documents.document import Content
from tasks.documents.readers.docx.names import MC, A
from tasks.documents.readers.drawn.boxes import ordered
from tasks.documents.readers.drawn.parts import GONE, PartReader
from tasks.documents.readers.drawn.shapes import placed
from tasks.documents.readers.drawn.text import in_one_line, plain_lines
from tasks.documents.readers.pages import Lost, Page, joined
from tasks.documents.readers.pptx.show import FOOTER, NOT_READ, TITLES, Show, placeholder_of

HIDDEN = "(hidden slide)"
OFF = ("0", "false", "off")


def read_pptx(data: bytes, depth: int = 0) -> Content:
    """Return the slides: title, texts from the top to the bottom, notes (`Notes: …`), comments (`Comment (Ann): …`).

    A slide or a part of one that can't be read is `unread`. `depth` is how many files hold this
    one. Raises DocumentFailed with reason `damaged` where there is no presentation.
    """
    return joined(_PptxReader(Show(data, depth)).pages())


class _PptxReader:
    def __init__(self, show: Show) -> None:
        self._show = show
        self._footers: set[str] = set()

    def pages(self) -> Iterator[Page]:
        for number, name in enumerate(self._show.slides(), 1):
            yield self._page(number, name)
        if self._show.damage:
            yield Page("", "", (Lost(0, "the slides from there on", f"the file is damaged ({self._show.damage})"),))

    def _page(self, number: int, name: str) -> Page:
        words = f"slide {number}"
        if not name or name not in self._show.package:
            return Page("", "", (Lost(0, words, GONE),))
        parts = PartReader(self._show.package, name, self._show.depth)
        tree = parts.named(name, words)
        shapes = None if tree is None else tree.find("{*}cSld/{*}spTree")
        hidden = tree is not None and tree.get("show", "1") in OFF
        title = "" if shapes is None else _title(shapes)
        texts = [HIDDEN] if hidden and not title else []
        if shapes is not None:
            layout = self._show.layout(parts)
            texts += (text for item in ordered(list(placed(shapes, parts, layout))) for text in item.texts)
            texts += self._footer(shapes)
        texts += (*_notes(parts), *self._comments(parts))
        body = "\n\n".join(texts)
        lost = tuple(
            Lost(len(body), part if part.startswith(words) else f"{words}, {part}", reason)
            for part, reason in parts.lost
        )
        return Page(f"{title} {HIDDEN}" if hidden and title else title, body, lost)

    def _footer(self, shapes: Any) -> Iterator[str]:
        """Yield a footer that wasn't read on a slide before."""
        for shape in shapes.iter("{*}sp"):
            mark = placeholder_of(shape)
            text = in_one_line(shape) if mark is not None and mark.get("type") == FOOTER else ""
            if text and text not in self._footers:
                self._footers.add(text)
                yield text

    def _comments(self, parts: PartReader) -> Iterator[str]:
        for relation in parts.of_kind("comments"):
            tree = parts.named(relation.target, "comments")
            for item in () if tree is None else tree.iter("{*}cm", "{*}reply"):
                held = item.find("{*}text")
                body = item.find("{*}txBody")
                text = (held.text or "").strip() if held is not None else "" if body is None else in_one_line(body)
                author = self._show.authors.get(item.get("authorId", ""), "")
                if text:
                    yield f"Comment ({author}): {text}" if author else f"Comment: {text}"


def _title(shapes: Any) -> str:
    """Return what stands in placeholders of titles."""
    texts = []
    for shape in shapes.iter("{*}sp"):
        mark = placeholder_of(shape)
        is_title = mark is not None and mark.get("type") in TITLES
        if is_title and next(shape.iterancestors(f"{MC}Fallback"), None) is None:
            texts.append(in_one_line(shape))
    return " ".join(filter(None, texts))


def _notes(parts: PartReader) -> Iterator[str]:
    for relation in parts.of_kind("notesSlide"):
        tree = parts.named(relation.target, "notes")
        lines: list[str] = []
        for shape in () if tree is None else tree.iter("{*}sp"):
            mark = placeholder_of(shape)
            if mark is None or mark.get("type") not in (*NOT_READ, FOOTER):
                lines += (
                    line
                    for body in shape.iterfind("{*}txBody")
                    if body.find(f"{A}p") is not None
                    for line in plain_lines(body)
                )
        if lines:
            yield "Notes: " + "\n".join(lines)
