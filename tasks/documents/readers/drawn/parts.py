"""The parts that a slide or a sheet refers to, and which of them couldn't be read."""

from typing import Any

from tasks.base.errors import DocumentFailed
from tasks.documents.readers.kinds import kind_of
from tasks.documents.readers.package import Package, Relation, parsed

DEEPEST = 2
GONE = "it isn't in the file: open the file, and save it again"
DAMAGED = "it is damaged ({}): open the file, and save it again"
EMBEDDED = "it is kept as another program's object: open it there, and copy its text into the file"
PACKAGES = (b"PK\x03\x04", b"%PDF-")


class PartReader:
    """Reads what a part refers to. `lost` holds the parts that couldn't be read, and why."""

    def __init__(self, package: Package, owner: str, depth: int = 0) -> None:
        self.package, self.owner = package, owner
        self.relations = package.relations(owner)
        self.lost: list[tuple[str, str]] = []
        self._depth = depth
        self._shown: set[str] = set()

    def of_kind(self, *kinds: str) -> list[Relation]:
        """Return the relationships of those kinds to parts of the package."""
        found = (item for item in self.relations.values() if item.kind in kinds and not item.external)
        return list(dict.fromkeys(found))

    def tree(self, relation_id: str, words: str) -> Any:
        """Return the tree of the part that a relationship leads to, or of what of it can be read.

        None for none, and for one that was returned before: a file could show a part any number of times.
        """
        if relation_id in self._shown:
            return None
        self._shown.add(relation_id)
        relation = self.relations.get(relation_id)
        if relation is None or relation.external:
            self.lost.append((words, GONE))
            return None
        return self.named(relation.target, words)

    def named(self, name: str, words: str) -> Any:
        """Return the tree of a part, or of what of it can be read; None for none."""
        if name not in self.package:
            self.lost.append((f"{words} ({name})", GONE))
            return None
        part = self.package.read(name)
        tree, damage = parsed(part.data)
        if damage or not part.whole or tree is None:
            self.lost.append((f"{words} ({name})", DAMAGED.format(damage or "its bytes don't add up")))
        return tree

    def embedded(self, relation_id: str, program: str) -> list[str]:
        """Return the text of an object that is a document itself; another program's is lost."""
        from tasks.documents.readers.read import read  # noqa: PLC0415 - it is what calls the readers of slides and sheets

        if relation_id in self._shown:
            return []
        self._shown.add(relation_id)
        relation = self.relations.get(relation_id)
        words = f"object ({program or 'no name'})"
        data = self.package.read(relation.target).data if relation and not relation.external else b""
        if not data.startswith(PACKAGES) or relation is None:
            self.lost.append((words, EMBEDDED))
            return []
        if self._depth >= DEEPEST:
            self.lost.append((words, f"files within files, more than {DEEPEST} deep, are not read"))
            return []
        try:
            content = read(data, kind_of(data, relation.target), relation.target, self._depth + 1)
        except DocumentFailed as error:
            self.lost.append((words, str(error)))
            return []
        self.lost += ((f"{unread.part} of {words}", unread.reason) for unread in content.unread)
        return [content.text.replace("\f", "").strip()]
