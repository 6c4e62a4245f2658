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
    """A note that the text refers to: `kind` is footnote, endnote or comment."""

    kind: str
    note_id: str
    label: str


class Notes:
    """The notes that were referred to so far."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Note] = {}
        self._counts = dict.fromkeys(FORMS, 0)

    def label(self, kind: str, note_id: str) -> str:
        """Return the mark of a note: `[^1]`, `[^i]` for an endnote, `[^c1]` for a comment."""
        note = self._known.get((kind, note_id))
        if note is None:
            self._counts[kind] += 1
            note = Note(kind, note_id, f"[^{FORMS[kind](self._counts[kind])}]")
            self._known[kind, note_id] = note
        return note.label

    def of(self, kind: str) -> Iterator[Note]:
        """Yield the notes of a kind, and those that these refer to in their turn."""
        seen: set[str] = set()
        while new := [note for note in self._known.values() if note.kind == kind and note.note_id not in seen]:
            seen.update(note.note_id for note in new)
            yield from new


def author(kind: str, element: Any) -> str:
    """Return the words before a comment: whose it is."""
    if kind != "comment":
        return ""
    name = element.get(f"{W}author", "").strip()
    return f"Comment by {name}: " if name else "Comment: "
