"""A page of HTML as it is read, element by element: the blocks that a person sees."""

from collections.abc import Callable, Mapping

from tasks.documents.readers.html.elements import STARTS
from tasks.documents.readers.html.flow import Flow
from tasks.documents.readers.html.form import SelectChoice
from tasks.documents.readers.html.formula import MathFormula
from tasks.documents.readers.html.grid import HtmlGrid
from tasks.documents.readers.html.line import TextLine
from tasks.documents.readers.html.numbering import ListNumbering
from tasks.documents.readers.html.parse import parse, parse_matched
from tasks.documents.readers.html.visible import Style, StyleSheet, hidden, seen

BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "dir", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "frameset", "h1", "h2", "h3", "h4", "h5", "h6",
    "header", "hgroup", "hr", "html", "legend", "li", "listing", "main", "menu", "nav", "noframes", "ol", "p",
    "plaintext", "pre", "search", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "title", "tr",
    "ul", "xmp",
))  # fmt: skip
# What stands apart from the text before and after it, however it is written.
APART = frozenset(("button", "label", "output", "img", "meter", "progress", "rect", "text", "picture", "foreignobject"))
RAISED = {"sup": "^", "sub": "_", "super": "^"}
INLINE = frozenset(("inline", "contents"))
MOST_FRAMES = 3  # in each other
DEEPEST = 500  # elements in each other; no browser goes deeper than 512

Closer = Callable[[], None] | None


def read_page(text: str, frames: int = 0) -> "HtmlPage":
    """Return what a person sees of a page, which stands in so many frames."""
    data = text.replace("\0", "").encode("utf-8", "replace") or b" "
    page = HtmlPage(frames, DEEPEST)
    try:
        parse(data, page)
    except _TooDeep:
        page = HtmlPage(frames, len(data))
        parse_matched(data, page)
    return page


class _TooDeep(Exception):
    """More elements are open than the plain parser is quick with."""


class HtmlPage:
    """A page as it is read (the target of a parser): the blocks that a person sees.

    Each open element has what is to be done at its end; what is hidden is only counted.
    """

    def __init__(self, frames: int, deepest: int) -> None:
        self.frames, self.deepest = frames, deepest
        self.root = self.flow = Flow()
        self.line = TextLine()
        self.title: list[str] = []
        self.titled = self.in_title = False
        self.sheet = StyleSheet()
        self.css: list[str] | None = None
        self.skipped = 0
        self.seen = True
        self.heading = ""
        self.preserved = False  # white space stands as it is written
        self.verbatim: list[str] | None = None
        self.lists: list[ListNumbering] = []
        self.definitions: list[Flow] = []  # what the lists of definitions that are open stand in
        self.grids: list[HtmlGrid] = []
        self.formula: MathFormula | None = None
        self.choice: SelectChoice | None = None
        self.linked = False  # a link has just ended
        self.ends: list[Closer] = []

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Begin an element."""
        if len(self.ends) + self.skipped > self.deepest:
            raise _TooDeep
        if self.skipped:
            self.skipped += 1
            return
        style = self.sheet.style(tag, attributes) if attributes or self.sheet.rules else {}
        if hidden(tag, attributes, style):
            self._skip(tag, attributes)
            return
        self.ends.append(None)
        if style:
            self._dress(style)
        if self.formula:
            self.formula.start(tag, attributes)
            self.at_end(self.formula.end)
        elif self.verbatim is None:
            self._begin(tag, attributes, style)
        else:
            self._keep_apart(tag)

    def end(self, _: str) -> None:
        """End the element that was begun last."""
        if self.skipped:
            self.skipped -= 1
            if self.css is not None and not self.skipped:
                self.sheet.add("".join(self.css))
                self.css = None
        elif self.ends and (end := self.ends.pop()):
            end()

    def data(self, text: str) -> None:
        """Add text where it is seen."""
        if self.skipped:
            if self.css is not None:
                self.css.append(text)
        elif self.in_title:
            self.title.append(text)
        elif not self.seen:
            return
        elif self.formula:
            self.formula.data(text)
        elif self.choice:
            self.choice.data(text)
        elif self.verbatim is not None:
            self.verbatim.append(text)
        else:
            self._write(text)

    def comment(self, _: str) -> None:
        """Leave out a comment."""

    def close(self) -> None:
        """End the page."""
        while self.ends:
            if end := self.ends.pop():
                end()
        self.break_()

    def break_(self) -> None:
        """End the block that is open."""
        self.linked = False
        text = self.line.take()
        if text and self.heading:
            self.flow.blocks.append(self.heading + " ".join(text.split()))
            self.titled = self.titled or self.heading == "# "
            self.set_apart()
        elif text:
            self.flow.blocks.append(text)

    def set_apart(self) -> None:
        """Note that the table around, if any, holds what no cell of data does."""
        if self.grids:
            self.grids[-1].headed = True

    def within(self, flow: Flow) -> None:
        """Write into a flow until the end of the element that was begun last."""
        around, heading = self.flow, self.heading
        self.flow, self.heading = flow, ""
        self.at_end(lambda: self._leave(around, heading))

    def _leave(self, around: Flow, heading: str) -> None:
        self.break_()
        self.flow, self.heading = around, heading

    def _write(self, text: str) -> None:
        if self.preserved:
            first, *others = text.replace("\r\n", "\n").split("\n")
            self.line.write(first)
            for line in others:
                self.line.end()
                self.line.write(line)
        else:
            self.line.write(text)
        self.linked = False

    def _keep_apart(self, tag: str) -> None:
        """Within verbatim text, end the line at a break and around a block."""
        if tag == "br":
            self._new_line()
        elif tag in BLOCKS and tag not in ("td", "th"):
            self._end_line()
            self.at_end(self._end_line)

    def _new_line(self) -> None:
        if self.verbatim is not None:
            self.verbatim.append("\n")

    def _end_line(self) -> None:
        if self.verbatim and not self.verbatim[-1].endswith("\n"):
            self.verbatim.append("\n")

    def _skip(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.skipped = 1
        self.css = [] if tag == "style" else None
        if tag == "iframe" and attributes.get("srcdoc") and self.frames < MOST_FRAMES and self.seen:
            self.break_()
            frame = read_page(attributes["srcdoc"], self.frames + 1)
            self.flow.blocks.append(frame.root)
            self.titled = self.titled or frame.titled
        elif tag in ("object", "audio", "video", "canvas", "iframe", "embed", "applet"):
            self.line.apart()

    def at_end(self, end: Callable[[], None]) -> None:
        """Do something at the end of the element that was begun last, before what is to be done there already."""
        later = self.ends[-1]
        self.ends[-1] = end if later is None else _both(end, later)

    def _dress(self, style: Style) -> None:
        """Follow a style: what of the text is seen, and how it stands."""
        was_seen, was_preserved = self.seen, self.preserved
        self.seen = seen(style, around=self.seen)
        if "white-space" in style:
            self.preserved = style["white-space"].startswith(("pre", "break-spaces"))
        if (self.seen, self.preserved) != (was_seen, was_preserved):
            self.at_end(lambda: self._undress(seen=was_seen, preserved=was_preserved))

    def _undress(self, *, seen: bool, preserved: bool) -> None:
        self.seen, self.preserved = seen, preserved

    def _begin(self, tag: str, attributes: Mapping[str, str], style: Style) -> None:
        display = style.get("display", "")
        block = (tag in BLOCKS and display not in INLINE) or display in ("block", "flex", "grid", "list-item", "table")
        if block:
            self.break_()
            self.at_end(self.break_)
        elif display.startswith(("inline-", "table-")) or tag in APART:
            self.line.apart()
            self.at_end(self.line.apart)
        if start := STARTS.get(tag):
            start(self, attributes)
        if raised := RAISED.get(tag) or RAISED.get(style.get("vertical-align", "")):
            self._raise(raised)

    def _raise(self, mark: str) -> None:
        line = self.line
        group = line.open()
        self.at_end(lambda: line.close(group, mark))


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def end() -> None:
        first()
        second()

    return end
