"""Parse HTML by libxml2, which looks through all open elements for each tag that stands where it can't."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from lxml import etree

# Marks and attributes as the HTML Living Standard tells them apart (13.2.5), for which libxml2 does, too.
MARK = re.compile(
    rb"<(?:!--(?:-?>|.*?(?:--!?>|\Z))|(?P<end>/?)(?P<name>[A-Za-z][^ \t\n\f\r/>]*)|[!?/][^>]*(?:>|\Z))", re.DOTALL
)
VALUE = rb"\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z)|[^ \t\n\f\r>\"'][^ \t\n\f\r>]*+|(?=>)|\Z"
ATTRIBUTES = re.compile(
    rb"(?:[ \t\n\f\r/]++|=?[^ \t\n\f\r/>=]++(?:[ \t\n\f\r]*+=[ \t\n\f\r]*+(?:" + VALUE + rb"))?+|=)*+>?"
)
# Elements whose content is text, up to their own end tag.
OF_TEXT = frozenset((b"iframe", b"noembed", b"noframes", b"script", b"style", b"textarea", b"title", b"xmp"))
ENDLESS = b"plaintext"
# What an end tag can't end, nor anything around it, unless it is for one of as high a rank (libxml2, HTMLparser.c).
RANKS = {
    "div": 150, "td": 160, "th": 160, "tr": 170, "thead": 180, "tbody": 180, "tfoot": 180, "table": 190,
    "head": 200, "body": 200, "html": 220,
}  # fmt: skip
LOWEST = 100
SLICE = 16_384  # bytes
NOTHING = b"<!---->"


class ParserTarget(Protocol):
    """What a parser gives the elements and the text of a page to."""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Begin an element."""
        ...

    def end(self, tag: str) -> None:
        """End the element that was begun last."""
        ...

    def data(self, text: str) -> None:
        """Take text."""
        ...

    def comment(self, text: str) -> None:
        """Take a comment."""
        ...

    def close(self) -> None:
        """End the page."""
        ...


class Tag(NamedTuple):
    """Where a tag stands in a page, in bytes, its name in small letters, and whether it begins an element."""

    start: int
    end: int
    name: bytes
    begins: bool


def parse(data: bytes, target: ParserTarget) -> None:
    """Give the elements and the text of a page, in UTF-8 and not empty, to what reads them.

    What that raises ends it at the end of a slice.
    """
    parser, start = _parser(target), 0
    while start < len(data):
        end = data.find(b">", start + SLICE) + 1 or len(data)
        parser.feed(data[start:end])
        start = end
    parser.close()


def parse_matched(data: bytes, target: ParserTarget) -> None:
    """Do as `parse` does, at a cost linear in the page however deep it is: leave out tags that do nothing."""
    elements = _Open(target)
    parser = _parser(elements)
    done = 0
    for tag in costly_tags(data):
        parser.feed(data[done : tag.start])
        if tag.name not in OF_TEXT:
            parser.feed(NOTHING)  # has the text before told, which may begin an element
        done = tag.end
        parser.feed(data[tag.start : done] if elements.need(tag) else elements.instead_of(tag))
    parser.feed(data[done:])
    parser.close()


def _parser(target: ParserTarget) -> etree.HTMLParser:
    return etree.HTMLParser(target=target, huge_tree=True, encoding="utf-8", remove_pis=True)


def costly_tags(data: bytes) -> Iterator[Tag]:
    """Yield the end tags of a page in UTF-8, and where a body begins.

    What looks like a tag in a comment, a value or a script is none.
    """
    at = 0
    while mark := MARK.search(data, at):
        at = mark.end()
        if (name := mark["name"]) is None:
            continue
        name = name.lower()
        at = _end(data, at)
        if mark["end"] or name == b"body":
            yield Tag(mark.start(), at, name, not mark["end"])
        elif name == ENDLESS:
            return
        elif name in OF_TEXT:
            found = re.compile(rb"</" + name + rb"(?=[ \t\n\f\r/>])", re.IGNORECASE).search(data, at)
            at = found.start() if found else len(data)


def _end(data: bytes, at: int) -> int:
    """Return where a tag ends whose attributes begin at a place."""
    match = ATTRIBUTES.match(data, at)
    return match.end() if match else at


class _Open:
    """The elements that are open, as a parser tells them to a target."""

    def __init__(self, target: ParserTarget) -> None:
        self._target = target
        self._names: list[str] = []
        self._places: dict[str, list[int]] = {}
        self._bodies = 0  # that were left out, and whose end tags end nothing
        self.data, self.comment, self.close = target.data, target.comment, target.close

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._places.setdefault(tag, []).append(len(self._names))
        self._names.append(tag)
        self._target.start(tag, attributes)

    def end(self, tag: str) -> None:
        if self._names:
            self._places[self._names.pop()].pop()
        self._target.end(tag)

    def need(self, tag: Tag) -> bool:
        """Whether a tag begins or ends any of them, or costs nothing; of one that doesn't, keep count."""
        name = tag.name.decode("utf-8", "replace")
        if tag.begins:
            is_needed = self._last(name) < 0
            self._bodies += not is_needed
        elif self._bodies and name in ("body", "head", "html"):
            is_needed = False
            self._bodies -= 1
        else:
            is_needed = not self._names or self._is_ended_by(name)
        return is_needed

    def instead_of(self, tag: Tag) -> bytes:
        """Return what does as much as a tag that isn't needed: a second body ends a paragraph."""
        return b"</p>" if tag.begins and self._names[-1:] == ["p"] else NOTHING

    def _is_ended_by(self, name: str) -> bool:
        place, rank = self._last(name), RANKS.get(name, LOWEST)
        return place >= 0 and all(self._last(other) <= place for other in RANKS if RANKS[other] > rank)

    def _last(self, name: str) -> int:
        """Return the place of the innermost of a name, or -1."""
        places = self._places.get(name)
        return places[-1] if places else -1
