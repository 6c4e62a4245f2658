"""The text of a paragraph from its runs: raised, lowered and struck characters are marked."""

from collections.abc import Iterator, Sequence
from itertools import groupby

PLAIN, RAISED, LOWERED, STRUCK = 0, 1, 2, 4
SIGNS = {RAISED: "^", LOWERED: "_"}
CLOSERS = ")]}|"

Piece = tuple[int, str]
"""The marks of a run (RAISED or LOWERED, STRUCK) and its text."""


def inline(pieces: Sequence[Piece]) -> str:
    """Return a paragraph's text.

    What is raised or lowered is marked by `^` or `_` where it would fuse with the letters or
    digits beside it (`10^6`, `H_2O`), within braces where it would then fuse with those after
    it, or holds more than a number or a word (`x^{n+1}`).
    """
    if not any(marks for marks, _ in pieces):
        return "".join(text for _, text in pieces)
    groups = [
        (marks, "".join(text for _, text in group)) for marks, group in groupby(pieces, key=lambda piece: piece[0])
    ]
    return "".join(_marked(groups))


def _marked(groups: Sequence[Piece]) -> Iterator[str]:
    before = ""
    for place, (marks, text) in enumerate(groups):
        after = groups[place + 1][1] if place + 1 < len(groups) else ""
        sign = SIGNS.get(marks & ~STRUCK)
        shown = text if sign is None else script(sign, before, text, after)
        yield struck(shown) if marks & STRUCK else shown
        before = text or before


def script(sign: str, before: str, text: str, after: str) -> str:
    """Return raised or lowered text with its sign, where it would fuse with what stands beside it."""
    inner = text.strip()
    if not inner or not any(character.isalnum() for character in inner):
        return text
    left = before[-1:].isalnum() or before[-1:] in tuple(CLOSERS)
    right = after[:1].isalnum() and text[-1:].isalnum()
    if text[0].isspace() or not (left or right):
        return text
    tail = text[len(text.rstrip()) :]
    return sign + grouped(inner, "" if tail else after) + tail


def grouped(text: str, after: str = "") -> str:
    """Return an exponent or index, in braces unless it is one number or word that ends before `after`."""
    bare = text.lstrip("+-\u2212")
    ends = not after[:1].isalnum() or after[0].isdigit() != bare[-1:].isdigit()
    return text if bare.isalnum() and len(text) - len(bare) <= 1 and ends else "{" + text + "}"


def struck(text: str) -> str:
    """Return text that is struck through, as GitHub's Markdown marks it."""
    inner = text.strip()
    return text.replace(inner, f"~~{inner}~~", 1) if inner else text
