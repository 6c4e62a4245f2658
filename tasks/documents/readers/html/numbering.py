"""The bullets and numbers of a list, as they are printed (HTML Living Standard, 4.4.5 and CSS Counter Styles)."""

from collections.abc import Mapping

from tasks.documents.readers.html.flow import Flow
from tasks.documents.readers.html.visible import style_of

STYLES = {
    "a": "a", "lower-alpha": "a", "lower-latin": "a", "A": "A", "upper-alpha": "A", "upper-latin": "A",
    "i": "i", "lower-roman": "i", "I": "I", "upper-roman": "I", "1": "1", "decimal": "1",
    "disc": "", "circle": "", "square": "",
}  # fmt: skip
ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"),
    (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
MOST_ROMAN = 3999
MOST_DIGITS = 9


class ListNumbering:
    """A list whose items are numbered as they are read; of one that counts down, at its end."""

    def __init__(self, attributes: Mapping[str, str], *, ordered: bool) -> None:
        style = style_of(attributes.get("style", ""))
        words = (style.get("list-style-type") or style.get("list-style", "")).split()
        kinds = (STYLES[word] for word in (*words, attributes.get("type", "")) if word in STYLES)
        self.kind = next(kinds, "1") if ordered else ""
        self.start = integer(attributes.get("start", ""))
        self.step = -1 if "reversed" in attributes and ordered else 1
        self.next = self.start if self.start is not None else 1
        self.items: list[tuple[Flow, int | None]] = []

    def item(self, attributes: Mapping[str, str], *, nested: bool) -> Flow:
        """Return the flow of the next item."""
        flow = Flow(tight=bool(self.items) or nested)
        value = integer(attributes.get("value", ""))
        self.items.append((flow, value))
        if self.step > 0:
            self._number(flow, value)
        return flow

    def end(self) -> None:
        """Number the items of a list that counts down."""
        if self.step < 0:
            self.next = self.start if self.start is not None else len(self.items)
            for flow, value in self.items:
                self._number(flow, value)

    def _number(self, flow: Flow, value: int | None) -> None:
        number = self.next if value is None else value
        self.next = number + self.step
        flow.first = f"{counted(number, self.kind)}. " if self.kind else "- "
        flow.rest = " " * len(flow.first)


def counted(number: int, kind: str) -> str:
    """Return a number in figures, letters or Roman numerals; in figures where these have none for it."""
    if kind in "aA" and number > 0:
        letters = ""
        while number:
            number, digit = divmod(number - 1, 26)
            letters = chr(ord(kind) + digit) + letters
        return letters
    if kind in "iI" and 0 < number <= MOST_ROMAN:
        numeral = _roman(number)
        return numeral.upper() if kind == "I" else numeral
    return str(number)


def integer(text: str) -> int | None:
    """Return a number of an attribute, None where it is none."""
    digits = text.strip()
    bare = digits.lstrip("+-")
    return (
        int(digits)
        if bare.isascii() and bare.isdigit() and len(bare) <= MOST_DIGITS and len(digits) - len(bare) < 2
        else None
    )


def _roman(number: int) -> str:
    numeral = ""
    for value, letters in ROMAN:
        times, number = divmod(number, value)
        numeral += letters * times
    return numeral
