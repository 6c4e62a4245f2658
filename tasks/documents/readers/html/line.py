"""A paragraph as it is put together from inline pieces: white space, emphasis, powers and subscripts."""

import re

SPACES = re.compile(r"[ \t\n\r\f]+")
BLANK = " \t\n\r\f"
BREAK = "  \n"
# What stands raised without being a power: the ordinals of English and French.
ORDINALS = frozenset(("st", "nd", "rd", "th", "er", "re", "ère", "eme", "ème"))
TOKEN = re.compile(r"[+\-\u2212\u00b1]?\w+(?:[.,]\w+)*")
MOST_PIECES = 8
FRACTION = ("/", "\u2044")
AFTER = (")", "]", "\u2032", "*")


class TextLine:
    """The text of one block, in pieces; `take` ends it.

    A group is a power (`^`), a subscript (`_`) or a term of a formula: a token stands as it is, more in parentheses.
    """

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.space = False  # white space is due before what comes next
        self.last = ""
        self.glued = False  # a group has just begun: white space there is nothing
        self.pending: list[str] = []  # marks of emphasis, opened before any text
        self.depths: dict[str, int] = {}
        self.generation = 0
        self.token: tuple[int, str] | None = None  # where the group begins that ends here, and its mark

    def write(self, text: str) -> None:
        """Add text as HTML shows it: any white space is one space, and none at the beginning."""
        words = SPACES.sub(" ", text)
        bare = words.strip(" ")
        if not bare:
            self.space = self.space or (bool(words) and not self.glued)
            return
        if words[0] == " " and not self.glued:
            self.space = True
        self.put(bare)
        self.space = words[-1] == " "

    def put(self, text: str) -> None:
        """Add text as it is, after the space and the marks that are due."""
        if self.space and self.last not in ("", "\n"):
            self.pieces.append(" ")
            self.last = " "
        elif self.token:
            self._part(text)
        self.space, self.token, self.glued = False, None, False
        if self.pending:
            self.pieces.extend(self.pending)
            self.pending.clear()
        self.pieces.append(text)
        self.last = text[-1]

    def apart(self) -> None:
        """Keep what comes next apart from what stands."""
        self.space = True

    def end(self) -> None:
        """End the line, within the block."""
        if self.pieces:
            self.pieces.append(BREAK)
            self.last, self.space, self.token = "\n", False, None

    def mark(self, mark: str) -> None:
        """Begin what is emphasized; within the same emphasis nothing is added."""
        self.depths[mark] = self.depths.get(mark, 0) + 1
        if self.depths[mark] == 1:
            self.pending.append(mark)

    def unmark(self, mark: str) -> None:
        """End what is emphasized."""
        self.depths[mark] -= 1
        if self.depths[mark]:
            return
        if mark in self.pending:
            self.pending.remove(mark)
        else:
            self.pieces.append(mark)
            self.last, self.token = mark[-1], None

    def open(self) -> tuple[int, int]:
        """Begin a group, and return what `close` is to be given."""
        if self.space and self.last not in ("", "\n"):
            self.pieces.append(" ")
            self.last = " "
        elif self.token:
            self._part("")
        self.space, self.token, self.glued = False, None, True
        self.pieces.append("")
        return self.generation, len(self.pieces) - 1

    def close(self, group: tuple[int, int], mark: str, before: str = "(", *, terms: bool = False) -> None:
        """End a group with its mark, and with parentheses unless it is a token or nothing.

        With `terms`, whatever is of several pieces is more than a token.
        """
        generation, start = group
        if generation != self.generation or start == len(self.pieces) - 1:
            return
        self.glued = False
        if mark == "_" and not terms and not self._before(start):
            mark = ""
        few = len(self.pieces) - start <= (2 if terms else MOST_PIECES) and before == "("
        inner = "".join(self.pieces[start + 1 :]).strip() if few else ""
        if few and (not inner or _stands(inner, mark)):
            self.pieces[start] = "" if _is_note(inner, mark) else mark
            self.token = (start, mark) if inner and TOKEN.fullmatch(inner) else None
        else:
            self.pieces[start] = mark + before
            self.pieces.append(")")
            self.last = ")"

    def _before(self, start: int) -> bool:
        """Say whether a subscript would be read as one with what stands before it; of a fraction, part the whole."""
        before = self.pieces[start - 1][-1:] if start else ""
        if before in FRACTION and start >= 3 and self.pieces[start - 3] == "^":  # 5<sup>1</sup>/<sub>2</sub>
            self.pieces[start - 3] = " " if start > 3 else ""
        return before.isalnum() or before in AFTER

    def replace(self, group: tuple[int, int], text: str) -> None:
        """Put a text in the stead of all that stands since a group began."""
        generation, start = group
        if generation == self.generation:
            del self.pieces[start:]
            self.token, self.last = None, self.pieces[-1][-1:] if self.pieces else ""
            self.put(text)

    def take(self) -> str:
        """Return the block's text, and begin the next with the emphasis that isn't over."""
        text = "".join(self.pieces)
        marks = [mark for mark, depth in self.depths.items() if depth]
        if text:
            text = text.rstrip(BLANK) + "".join(mark for mark in reversed(marks) if mark not in self.pending)
        self.pending = marks
        self.pieces, self.space, self.last, self.token = [], False, "", None
        self.generation += 1
        return text.strip(BLANK)

    def _part(self, after: str) -> None:
        """Put the group that has just ended in parentheses where what follows would be read as a part of it."""
        start, mark = self.token or (0, "")
        if not after or _kind(after[0]) != _kind(self.last) or not mark:
            return
        self.pieces[start] = self.pieces[start] + "("
        self.pieces.append(")")


def _kind(character: str) -> str:
    return "digit" if character.isdigit() else "letter" if character.isalpha() else character


def _stands(inner: str, mark: str) -> bool:
    """Say whether a group needs no parentheses: a token, a note's mark, or what has some already."""
    whole = inner[0] == "(" and inner[-1] == ")" and ")" not in inner[1:-1]
    return len(inner) == 1 or bool(TOKEN.fullmatch(inner)) or whole or _is_note(inner, mark)


def _is_note(inner: str, mark: str) -> bool:
    """Say whether what is raised can't be taken for a power or for more of the word: `[3]`, `®`, `th`."""
    bracketed = inner[:1] == "[" and inner[-1:] == "]"
    return mark == "^" and (bracketed or inner in ORDINALS or not any(map(str.isalnum, inner)))
