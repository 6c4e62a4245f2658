"""What a person sees of a form: values, what is chosen and what is checked."""

from collections.abc import Mapping

UNSEEN_INPUTS = frozenset(("hidden", "password", "file", "image", "reset"))
CHECKED = frozenset(("checkbox", "radio"))


def value_of(attributes: Mapping[str, str]) -> str:
    """Return what an `<input>` shows: `[x]` or `[ ]` for a box, else its value."""
    kind = attributes.get("type", "text").strip().lower()
    if kind in CHECKED:
        return "[x]" if "checked" in attributes else "[ ]"
    return "" if kind in UNSEEN_INPUTS else " ".join(attributes.get("value", "").split())


class SelectChoice:
    """The options of a `<select>`, of which those that are chosen are shown: the first, where none is marked."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self.listed = "multiple" in attributes
        self.chosen: list[str] = []
        self.first: str | None = None
        self.words: list[str] | None = None
        self.marked = self.held = False

    def begin(self, attributes: Mapping[str, str]) -> None:
        """Begin an option."""
        self.words = [attributes["label"]] if attributes.get("label") else []
        self.marked, self.held = "selected" in attributes, bool(self.words)

    def data(self, text: str) -> None:
        """Add text: an option's own, which its label stands for."""
        if self.words is not None and not self.held:
            self.words.append(text)

    def end(self) -> None:
        """End an option."""
        words = " ".join("".join(self.words or ()).split())
        self.first = words if self.first is None else self.first
        if self.marked:
            self.chosen.append(words)
        self.words = None

    def text(self) -> str:
        """Return what is shown of it."""
        if self.listed:
            return ", ".join(self.chosen)
        return self.chosen[-1] if self.chosen else self.first or ""
