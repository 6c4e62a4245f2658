"""The text of a shape (DrawingML, ECMA-376, part 1, 21.1.2): paragraphs, their bullets and numbers."""

from collections.abc import Iterator, Sequence
from typing import Any

from tasks.documents.readers.docx.equations import linear
from tasks.documents.readers.docx.inline import LOWERED, PLAIN, RAISED, STRUCK, Piece, inline
from tasks.documents.readers.docx.names import MC, A, M, number
from tasks.documents.readers.docx.numerals import numeral
from tasks.documents.readers.docx.signs import PRIVATE, sign
from tasks.documents.readers.drawn.alternatives import chosen

# Fields that say nothing of the text: numbers of slides, today's date.
NOT_TEXT = ("slidenum", "datetime")
NUMERALS = {"alphaLc": "lowerLetter", "alphaUc": "upperLetter", "romanLc": "lowerRoman", "romanUc": "upperRoman"}
MOST_LEVELS = 9
INDENT = "  "
BREAK = "\n"
VERTICAL_TAB = "\v"


def paragraph_text(paragraph: Any) -> str:
    """Return a paragraph: exponents as `10^6`, equations in a line, line breaks as such."""
    return inline(list(_pieces(paragraph))).replace(VERTICAL_TAB, BREAK)


def plain_lines(body: Any) -> list[str]:
    """Return the paragraphs of a text that have words, without their bullets."""
    texts = (paragraph_text(paragraph).strip() for paragraph in body.iter(f"{A}p"))
    return [text for text in texts if text]


def in_one_line(body: Any) -> str:
    """Return a text in one line."""
    return " ".join(" ".join(plain_lines(body)).split())


def list_lines(body: Any, styles: Sequence[Any] = ()) -> list[str]:
    """Return the paragraphs of a text as Markdown, lists as nested items.

    `styles` are the elements that hold the properties of levels, beginning with those that count most.
    """
    own = body.find(f"{A}lstStyle")
    held = [*([own] if own is not None else []), *styles]
    numbers = [0] * MOST_LEVELS
    lines: list[str] = []
    for paragraph in body.iterfind(f"{A}p"):
        text = BREAK.join(line.strip() for line in paragraph_text(paragraph).strip().split(BREAK))
        if not text:
            continue
        properties = paragraph.find(f"{A}pPr")
        level = min(max(number(properties.get("lvl")) if properties is not None else 0, 0), MOST_LEVELS - 1)
        marker = _marker(_bullet(properties, level, held), level, numbers)
        indent = INDENT * level
        lines.append(indent + marker + text.replace(BREAK, BREAK + indent + " " * len(marker)))
    return lines


def _pieces(paragraph: Any) -> Iterator[Piece]:
    for child in paragraph:
        if child.tag == f"{MC}AlternateContent":
            for element in chosen(child):
                yield from _piece(element)
        else:
            yield from _piece(child)


def _piece(child: Any) -> Iterator[Piece]:
    if child.tag == f"{A}br":
        yield PLAIN, BREAK
    elif child.tag in (f"{A}r", f"{A}fld") and not child.get("type", "").startswith(NOT_TEXT):
        text = "".join(part.text or "" for part in child.iterfind(f"{A}t"))
        properties = child.find(f"{A}rPr")
        yield _marks(properties), _in_signs(text, properties)
    elif isinstance(child.tag, str) and (child.tag.startswith(M) or child.tag.endswith("}m")):
        yield PLAIN, linear(child)


def _marks(properties: Any) -> int:
    if properties is None:
        return PLAIN
    baseline = properties.get("baseline", "0").rstrip("%")
    height = number(baseline.partition(".")[0])
    struck = STRUCK if properties.get("strike", "noStrike") != "noStrike" else PLAIN
    return struck | (RAISED if height > 0 else LOWERED if height < 0 else PLAIN)


def _in_signs(text: str, properties: Any) -> str:
    """Return a text with the characters of symbol fonts as the signs that they show."""
    font = properties.find(f"{A}sym") if properties is not None else None
    if font is None or text.isascii():
        return text
    name = font.get("typeface", "")
    return "".join(sign(name, ord(letter)) if PRIVATE <= ord(letter) <= PRIVATE + 0xFF else letter for letter in text)


def _bullet(properties: Any, level: int, styles: Sequence[Any]) -> Any:
    """Return the element that says how a paragraph is marked; None where none does."""
    levels = (style.find(f"{A}lvl{level + 1}pPr") for style in styles)
    for held in (properties, *levels):
        for item in held if held is not None else ():
            if item.tag in (f"{A}buNone", f"{A}buChar", f"{A}buAutoNum", f"{A}buBlip"):
                return item
    return None


def _marker(bullet: Any, level: int, numbers: list[int]) -> str:
    """Return the mark of a paragraph, and count it: a number goes on until its level is left."""
    numbers[level + 1 :] = [0] * (MOST_LEVELS - level - 1)
    if bullet is None or bullet.tag != f"{A}buAutoNum":
        numbers[level] = 0
        return "" if bullet is None or bullet.tag == f"{A}buNone" else "- "
    numbers[level] = numbers[level] + 1 if numbers[level] else number(bullet.get("startAt"), 1)
    form = bullet.get("type", "arabicPeriod")
    shown = numeral(numbers[level], next((NUMERALS[name] for name in NUMERALS if form.startswith(name)), "decimal"))
    if form.endswith("ParenBoth"):
        return f"({shown}) "
    return f"{shown}) " if form.endswith("ParenR") else f"{shown}. "
