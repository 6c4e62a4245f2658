r"""The sections of Markdown (CommonMark 0.31) and reStructuredText, by their headings.

One pass over the lines, so the cost is linear; a heading inside a fenced block is none.
"""

import re
from collections.abc import Iterator

from tasks.documents.document import Section

# YAML, TOML or JSON about the page, before it.
FRONT_MATTER = re.compile(r"\A(---|\+\+\+)[ \t\r]*\n(?=[\w\"'-]+[ \t]*[:=]).*?^\1[ \t\r]*$", re.DOTALL | re.MULTILINE)
# A form feed may precede a heading. The info string after a fence of backticks holds no backtick.
MARKDOWN = re.compile(
    r"^\f? {0,3}(?:(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})(?P<info>[^\n]*)"
    r"|(?P<marks>#{1,6})(?=[ \t\r\n]|\Z)(?P<title>[^\n]*)"
    r"|(?P<under>=+|-{2,})[ \t\r]*$|(?P<comment><!--))",
    re.MULTILINE,
)
NO_TITLE = ("-", "*", "+", ">", "|", "#", "`", "~")
ADORNMENT = re.compile(r"^([!-/:-@[-`{-~])\1+[ \t\r]*$", re.MULTILINE)
LONGEST_TITLE = 80
MARKDOWN_NAMES = (".md", ".markdown", ".mdx", ".qmd", ".rmd")
RST_NAMES = (".rst", ".rest")


def sections_of(text: str, name: str) -> tuple[Section, ...]:
    """Return the sections of a text whose file's name says that it has headings."""
    lower = name.lower()
    if lower.endswith(MARKDOWN_NAMES):
        return markdown_sections(text)
    return rst_sections(text) if lower.endswith(RST_NAMES) else ()


def markdown_sections(text: str) -> tuple[Section, ...]:
    """Return the sections that `#` marks or an underline begins."""
    return tuple(_markdown(text))


def _markdown(text: str) -> Iterator[Section]:
    front = FRONT_MATTER.match(text)
    fence, hidden = "", 0
    closed = True
    for match in MARKDOWN.finditer(text, front.end() if front else 0):
        bar = match["fence"]
        if match.start() < hidden:
            continue
        if bar and not fence:
            fence = bar
        elif fence:
            fence = "" if bar and bar.startswith(fence) and not match["info"].strip() else fence
        elif match["comment"]:
            # Looked for once: a text of comments that never end takes no longer than another.
            hidden = text.find("-->", match.end()) if closed else hidden
            closed = hidden >= 0
        elif match["marks"]:
            start = match.start() + (text[match.start()] == "\f")
            yield Section(start, len(match["marks"]), shortened(_without_closing_marks(match["title"].strip())))
        elif (above := _line_before(text, match.start())) and _is_title(text, *above):
            level = 1 if match["under"].startswith("=") else 2
            yield Section(above[0], level, shortened(text[slice(*above)]))


def _without_closing_marks(title: str) -> str:
    """Return a title without the marks after white space that may close it."""
    bare = title.rstrip("#")
    return bare.rstrip() if bare[-1:] in ("", " ", "\t") else title


def _is_title(text: str, start: int, end: int) -> bool:
    """Whether a line that is underlined can be a heading: a paragraph of its own, no list, quote or table."""
    before = _line_before(text, start)
    alone = before is None or not text[slice(*before)].strip()
    return alone and text[start:end].strip() != "" and not text[start:end].lstrip().startswith(NO_TITLE)


def rst_sections(text: str) -> tuple[Section, ...]:
    """Return the sections: a title's mark and whether it has an overline tell its level, in order of appearance."""
    found: list[Section] = []
    styles: list[tuple[str, bool]] = []
    under = -1  # where the last title's underline begins
    for match in ADORNMENT.finditer(text):
        above = _line_before(text, match.start())
        if above is None or not text[slice(*above)].strip() or ADORNMENT.fullmatch(text[slice(*above)]):
            continue
        title = text[slice(*above)].strip()
        over = _line_before(text, above[0])
        lined = over is not None and over[0] != under and text[slice(*over)].strip() == match[0].strip()
        blank = over is None or over[0] == under or not text[slice(*over)].strip()
        if len(match[0].strip()) < len(title) or not (lined or blank):
            continue
        style = match[1], lined
        if style not in styles:
            styles.append(style)
        start = over[0] if over and lined else above[0]
        under = match.start()
        found.append(Section(start, styles.index(style) + 1, shortened(title)))
    return tuple(found)


def _line_before(text: str, start: int) -> tuple[int, int] | None:
    """Return the span of the line before the one that begins at `start`, without its end."""
    if start == 0:
        return None
    return text.rfind("\n", 0, start - 1) + 1, start - 1


def shortened(title: str) -> str:
    """Return a title in one line of at most LONGEST_TITLE characters."""
    line = " ".join(title.split())
    return line if len(line) <= LONGEST_TITLE else line[: LONGEST_TITLE - 1] + "…"
