"""A text's sections as the chunker uses them: good places to cut, and the headings above an offset."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from tasks.documents.document import Section

BETWEEN, UNDER = " \u203a ", "\n\n"
# The share of a chunk that is given up to end it where a section ends. Code is better
# short than cut inside a definition.
BACK, BACK_IN_CODE = 0.25, 0.7
LONGEST_HEADING = 200
LONGEST_PATH = 300  # characters; the outermost headings are left out first


class Outline:
    """The sections of one text, in order; in `code` they are definitions. There may be none.

    Without `headings`, the outline gives only places to cut.
    """

    def __init__(self, sections: Sequence[Section] = (), *, code: bool = False, headings: bool = True) -> None:
        self._sections = sections
        self._starts = [section.start for section in sections]
        self._parents = _parents(sections)
        self._headings = headings
        self.back = BACK_IN_CODE if code else BACK

    def __bool__(self) -> bool:
        """Whether there are sections."""
        return bool(self._starts)

    def kept(self, text: str, offset: int) -> int:
        """Return `offset`, or a place before the heading that a cut at `offset` would separate from its text."""
        index = bisect_left(self._starts, offset) - 1
        if index < 0 or offset - self._starts[index] > LONGEST_HEADING:
            return offset
        start = self._starts[index]
        return start if text[start:offset].strip().count("\n") <= 1 and text[offset - 1 : offset] == "\n" else offset

    def cut(self, least: int, most: int) -> int | None:
        """Return the best offset to cut behind `least` and up to `most`: the last of the outermost sections there."""
        first, last = bisect_right(self._starts, least), bisect_right(self._starts, most)
        if first == last:
            return None
        return min(self._sections[first:last], key=lambda section: (section.level, -section.start)).start

    def heading(self, offset: int) -> str:
        """Return the headings above a text that begins at `offset`, outermost first, and a blank line."""
        index = bisect_right(self._starts, offset) - 1 if self._headings else -1
        if index >= 0 and self._starts[index] == offset:
            index = self._parents[index]  # its own heading is in the text
        path = self._path(index)
        return path + UNDER if path else ""

    def at(self, offset: int) -> str:
        """Return the headings of an offset, its own among them."""
        return self._path(bisect_right(self._starts, offset) - 1)

    def _path(self, index: int) -> str:
        """Return the headings from the outermost down to a section's own; -1 is before the first section."""
        titles: list[str] = []
        length = 0
        while index >= 0 and length < LONGEST_PATH:
            if title := self._sections[index].title:
                titles.append(title)
                length += len(title) + len(BETWEEN)
            index = self._parents[index]
        return BETWEEN.join(reversed(titles))


def _parents(sections: Sequence[Section]) -> list[int]:
    """Return the section that each one lies in; -1 for none."""
    parents: list[int] = []
    above: list[int] = []
    for index, section in enumerate(sections):
        while above and sections[above[-1]].level >= section.level:
            above.pop()
        parents.append(above[-1] if above else -1)
        above.append(index)
    return parents


NO_OUTLINE = Outline()
