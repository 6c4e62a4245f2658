"""Numbers as a spreadsheet shows them, by their format (ECMA-376, part 1, 18.8.30 and 18.8.31).

Months and days of the week are in English.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from tasks.documents.readers.xlsx.dates import DATE_LETTERS, LAST_DAY, date_shown
from tasks.documents.readers.xlsx.digits import digits_shown, general, plain_pattern

Shown = Callable[[str], str]
"""From a number as it is kept to what is shown."""

Token = tuple[str, str]
"""What it is ("text", "elapsed", "date", "half", "general", "@", or a character of numbers), and itself."""

TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|(?P<skipped>[_*]).?|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<general>General)|(?P<half>AM/PM|A/P)|(?P<date>y+|m+|d+|h+|s+(?:\.0+)?|e(?![+-])|g+|aaaa?)"
    r"|(?P<power>E[+-])|(?P<digit>[0#?.,%/])|(?P<text>@)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?[\d.]+)")
ELAPSED = re.compile(r"h+|m+|s+", re.IGNORECASE)
LONGEST_CODE = 255
MOST_KEPT = 10_000


class FormatPart(NamedTuple):
    """A section of a format: when it is for (an operator and a number), and its tokens."""

    condition: tuple[str, float] | None
    tokens: Sequence[Token]

    def fits(self, value: float) -> bool:
        """Whether a section with a condition is for a value."""
        sign, bound = self.condition or ("", 0.0)
        return {
            "<": value < bound,
            ">": value > bound,
            "<=": value <= bound,
            ">=": value >= bound,
            "<>": value != bound,
            "=": value == bound,
        }.get(sign, False)


def number_format(code: str, *, from_1904: bool = False) -> Shown:
    """Return what shows a number in a format; a format that says nothing of it shows it as it is."""
    parts = [_part(section) for section in _sections(code[:LONGEST_CODE])]
    numbers = [part for part in parts if part.condition or not any(kind == "@" for kind, _ in part.tokens)]
    if not numbers or [kind for kind, _ in numbers[0].tokens] == ["general"]:
        return general

    @lru_cache(MOST_KEPT)  # dates and amounts come back
    def shown(text: str) -> str:
        try:
            value = float(text)
        except ValueError:
            return text
        part, minus = _chosen(numbers, value)
        return _shown(part, text, value, minus=minus, from_1904=from_1904) or general(text)

    quickly = plain_pattern(numbers[0].tokens) if len(numbers) == 1 and numbers[0].condition is None else None
    return shown if quickly is None else _quick(quickly, shown)


def _quick(quickly: Callable[[str], str | None], slowly: Shown) -> Shown:
    """Return what shows numbers that aren't negative in a usual pattern, and leaves others to another."""

    def shown(text: str) -> str:
        if text[:1].isdigit():
            try:
                found = quickly(text)
            except (ArithmeticError, ValueError):
                found = None
            if found is not None:
                return found
        return slowly(text)

    return shown


def text_format(code: str) -> tuple[str, str] | None:
    """Return what a format puts before and after a text; None for nothing."""
    for section in _sections(code[:LONGEST_CODE]):
        tokens = _part(section).tokens
        if ("@", "@") in tokens:
            at = tokens.index(("@", "@"))
            around = _words(tokens[:at]), _words(tokens[at + 1 :])
            return around if any(around) else None
    return None


def is_date(code: str) -> bool:
    """Whether a format shows dates or times."""
    return any(kind in ("date", "elapsed") for section in _sections(code) for kind, _ in _part(section).tokens)


def _sections(code: str) -> list[str]:
    sections, start = [], 0
    for match in TOKEN.finditer(code):
        if match.group() == ";":
            sections.append(code[start : match.start()])
            start = match.end()
    return [*sections, code[start:]]


def _part(section: str) -> FormatPart:
    condition: tuple[str, float] | None = None
    tokens: list[Token] = []
    for match in TOKEN.finditer(section):
        kind, token = match.lastgroup or "", match[match.lastgroup or 0]
        if kind == "bracket":
            found = CONDITION.fullmatch(token)
            if found:
                condition = (found[1], _number(found[2]))
            elif ELAPSED.fullmatch(token):
                tokens.append(("elapsed", token.lower()))
            elif token.startswith("$"):
                tokens.append(("text", token[1:].partition("-")[0]))
        elif kind == "text":
            tokens.append(("@", "@"))
        elif kind in ("digit", "power"):
            tokens.append((token[0].upper(), token))
        elif kind in ("date", "half", "general"):
            tokens.append((kind, token.lower()))
        else:
            tokens.append(("text", {"_": " ", "*": ""}[token] if kind == "skipped" else token))
    return FormatPart(condition, tokens)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _chosen(parts: Sequence[FormatPart], value: float) -> tuple[FormatPart, bool]:
    """Return the section for a value, and whether a minus is shown before it."""
    if any(part.condition for part in parts):
        fitting = next((part for part in parts if part.fits(value)), None)
        chosen = fitting or next((part for part in parts if part.condition is None), parts[-1])
        sign = chosen.condition[0] if chosen.condition else ""
        return chosen, value < 0 and not (sign[:1] == "<" and chosen.condition is not None and chosen.condition[1] <= 0)
    if value < 0 and len(parts) > 1:
        return parts[1], False
    if value == 0 and len(parts) > 2:
        return parts[2], False
    return parts[0], value < 0


def _shown(part: FormatPart, text: str, value: float, *, minus: bool, from_1904: bool) -> str:
    kinds = {kind for kind, _ in part.tokens}
    if kinds & DATE_LETTERS:
        if not 0 <= value <= LAST_DAY:
            return general(text)
        return date_shown(part.tokens, value, from_1904=from_1904)
    if "general" in kinds:
        inner = general(text.lstrip("-"))
        words = "".join(inner if kind == "general" else token for kind, token in part.tokens)
    elif kinds & {"0", "#", "?"}:
        words = digits_shown(part.tokens, text)
        minus = minus and any(character in "123456789" for character in words)
    else:
        words = _words(part.tokens)
        return " ".join(words.split())
    return " ".join((("-" if minus else "") + words).split())


def _words(tokens: Sequence[Token]) -> str:
    return "".join(token for kind, token in tokens if kind == "text" or len(kind) == 1)
