"""Footnotes, endnotes and comments, in the order in which the text refers to them."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tasks.documents.readers.docx.names import W
from tasks.documents.readers.docx.numerals import roman

FORMS: dict[str, Callable[[int], str]] = {
    "footnote": str,
    "endnote": lambda number: roman(number).lower(),
    "comment": lambda number: f"c{number}",
}


class Note(NamedTuple):
    """A note that the text refers to, by its id in its part, and its mark."""

    note_id: str
    label: str


class Footnotes:
    """The notes that were referred to so far."""

    def __init__(self) -> None:
        self._labels: dict[tuple[str, str], str] = {}
        self._notes: dict[str, list[Note]] = {kind: [] for kind in FORMS}

    def label(self, kind: str, note_id: str) -> str:
        """Return the mark of a note: `[^1]`, `[^i]` for an endnote, `[^c1]` for a comment."""
        if (kind, note_id) not in self._labels:
            notes = self._notes[kind]
            label = f"[^{FORMS[kind](len(notes) + 1)}]"
            notes.append(Note(note_id, label))
            self._labels[kind, note_id] = label
        return self._labels[kind, note_id]

    def of(self, kind: str) -> Iterator[Note]:
        """Yield the notes of a kind, also those that are referred to meanwhile."""
        yield from self._notes[kind]


def author(kind: str, element: Any) -> str:
    """Return the words before a comment: whose it is."""
    if kind != "comment":
        return ""
    name = element.get(f"{W}author", "").strip()
    return f"Comment by {name}: " if name else "Comment: "
