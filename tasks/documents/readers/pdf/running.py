"""Heads and feet of pages: page numbers say nothing, a line that repeats says it once, all others stay."""

import re
from collections import Counter

FEWEST_PAGES = 3
# So many lines of a page's head, and of its foot, are looked at.
DEEPEST = 3
WORDS = r"(?:page|seite|p\.|pg\.?|s\.|página|pagina|pág\.?|pag\.?|blatt|стр\.?|页|頁|ページ)"
BETWEEN = r"(?:of|von|de|di|sur|/|\||aus|из)"
FIGURES = rf"(?P<number>[0-9]{{1,5}}|[ivxlc]{{1,8}})\s*(?:{BETWEEN}\s*[0-9]{{1,5}})?"
NUMBER = re.compile(rf"\W*(?:{WORDS}\s*)?{FIGURES}[\s|-]*{WORDS}?\W*", re.IGNORECASE)
LONGEST = 40


ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}


def without_running_lines(pages: list[str]) -> list[str]:
    """Leave out page numbers, and heads and feet that stand on most pages but where they come first."""
    lines = [page.strip("\n").split("\n") for page in pages]
    if len(pages) >= FEWEST_PAGES:
        for edge in (_Edge(lines, at_head=True), _Edge(lines, at_head=False)):
            for _ in range(DEEPEST):
                if not edge.goes_deeper():
                    break
    return ["\n".join(page) for page in lines]


class _Edge:
    """The heads, or the feet, of all pages, looked at line by line from the outermost."""

    def __init__(self, lines: list[list[str]], *, at_head: bool) -> None:
        self._lines, self._at_head = lines, at_head
        self._kept = [0] * len(lines)  # how many lines of each page stay outside of the one that is looked at
        self._shown: set[str] = set()

    def goes_deeper(self) -> bool:
        """Leave out the line that is looked at where it is a running one; whether the next may be one, too."""
        edges = [self._line(page) for page in range(len(self._lines))]
        numbers = _counting(edges)
        times = Counter(line for line in edges if line)
        found = False
        for page, line in enumerate(edges):
            repeats = times[line] > len(edges) / 2
            if page in numbers or (repeats and line in self._shown):
                del self._lines[page][self._index(page)]
            elif repeats:
                self._shown.add(line)
                self._kept[page] += 1
            found = found or repeats or page in numbers
        return found

    def _index(self, page: int) -> int:
        return self._kept[page] if self._at_head else -1 - self._kept[page]

    def _line(self, page: int) -> str:
        is_there = len(self._lines[page]) > self._kept[page]
        return self._lines[page][self._index(page)].strip() if is_there else ""


def _counting(edges: list[str]) -> set[int]:
    """Return the pages whose line is nothing but a number that counts with them, on most pages."""
    found = ((page, NUMBER.fullmatch(line)) for page, line in enumerate(edges) if len(line) <= LONGEST)
    offsets = {page: _value(match["number"]) - page for page, match in found if match is not None}
    offset, times = Counter(offsets.values()).most_common(1)[0] if offsets else (0, 0)
    return {page for page, one in offsets.items() if one == offset} if times > len(edges) / 2 else set()


def _value(number: str) -> int:
    """Return the value of Arabic or Roman figures."""
    if number.isdecimal():
        return int(number)
    values = [ROMAN[letter] for letter in number.lower()]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))
