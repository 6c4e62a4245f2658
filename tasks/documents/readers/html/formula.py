"""MathML to linear text: `x^2`, `(a+b)/2`, `√(n+1)`, or the TeX that the formula is annotated with."""

from collections.abc import Mapping

from tasks.documents.readers.html.line import TextLine

ROOT = "^(1/"
# The mark before each term of an element with terms (MathML Core, 3): the base has none.
TERMS = {
    "msup": ("", "^"),
    "msub": ("", "_"),
    "msubsup": ("", "_", "^"),
    "munder": ("", "_"),
    "mover": ("", "^"),
    "munderover": ("", "_", "^"),
    "mfrac": ("", "/"),
    "mroot": ("√", ROOT),
}
TOKENS = frozenset(("mi", "mn", "mo", "mtext", "ms"))
UNSEEN_SIGNS = dict.fromkeys(range(0x2061, 0x2065))  # function application, invisible times, separator, plus


class MathFormula:
    """A formula that is being written on a line, element by element, whatever their depth."""

    def __init__(self, line: TextLine) -> None:
        self.line = line
        self.whole = line.open()
        self.open: list[tuple[str, list[int], tuple[int, int] | None, str]] = []
        self.tex: list[str] = []
        self.annotated = self.in_tex = False
        self.name = ""

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Begin an element: a term of the one around it, maybe."""
        around, count = self.open[-1][:2] if self.open else ("", [0])
        number, count[0] = count[0], count[0] + 1
        group, mark = self._term(around, number)
        if tag == "annotation":
            self.annotated = True
            self.in_tex = "tex" in attributes.get("encoding", "").lower()
        self.open.append((tag, [0], group, mark))
        if tag == "msqrt":
            self.line.put("√(")
        if tag == "mfenced":
            self.line.put(attributes.get("open", "(") or " ")

    def end(self) -> None:
        """End the element that was begun last."""
        tag, _, group, mark = self.open.pop()
        if tag in ("msqrt", "mfenced"):
            self.line.put(")")
        if tag == "annotation":
            self.annotated = False
        if group and mark == ROOT:
            self.line.close(group, "^", "(1/")
        elif group:
            self.line.close(group, mark, terms=True)

    def data(self, text: str) -> None:
        """Add the text of the element that was begun last."""
        if self.annotated:
            if self.in_tex:
                self.tex.append(text)
            return
        tag = self.open[-1][0] if self.open else ""
        words = " ".join(text.translate(UNSEEN_SIGNS).split())
        if not words:
            return
        if tag in ("mi", "mn", "mtext") and self._fuses(tag, words):
            self.line.apart()
        self.name = words if tag in TOKENS else ""
        self.line.put(words)

    def close(self) -> None:
        """End the formula: its TeX stands for it, where it has some."""
        if tex := " ".join("".join(self.tex).split()):
            self.line.replace(self.whole, tex)

    def _term(self, around: str, number: int) -> tuple[tuple[int, int] | None, str]:
        if around in TERMS and number < len(TERMS[around]):
            self.name = ""
            return self.line.open(), TERMS[around][number]
        if around in ("mtable", "mtr", "mfenced") and number:
            self.line.put("; " if around == "mtable" else ", ")
            self.name = ""
        return None, ""

    def _fuses(self, tag: str, words: str) -> bool:
        """Say whether a name or number would be read as one with the token before it: two numbers, `sin` and x."""
        before, last = self.name, self.line.last
        if tag == "mtext" or not before or not last.isalnum() or not words[0].isalnum():
            return False
        return (len(before) > 1 and before[-1].isalpha()) or words[0].isdigit() or len(words) > 1
