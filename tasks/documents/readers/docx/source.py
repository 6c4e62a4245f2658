"""A document by its parts, what was read of it, and what couldn't be."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tasks.base.errors import DocumentFailed
from tasks.documents.document import Unread
from tasks.documents.readers.docx.blocks import Block
from tasks.documents.readers.kinds import kind_of
from tasks.documents.readers.package import Package, Relation, parsed

DEEPEST = 2
# What a reader goes by, by the type of a file within the document.
CHUNKS = {
    "text/html": "chunk.html",
    "application/xhtml+xml": "chunk.html",
    "text/plain": "chunk.txt",
    "message/rfc822": "chunk.mht",
    "application/x-mimearchive": "chunk.mht",
}
GONE = "it isn't in the file: open the document, and save it again"


class Source:
    """The parts of a document. `blocks` is what was read so far; `lost` notes what can't be, at that point of the text.

    Raises DocumentFailed with reason `damaged` where there is no main part.
    """

    def __init__(self, data: bytes, depth: int = 0) -> None:
        self._depth = depth
        self.package = Package(data)
        main = self.package.main() or "word/document.xml"
        if main not in self.package:
            raise DocumentFailed("damaged", "this DOCX file is damaged: it lacks its main part: save it again")
        self.main = main
        self.blocks: list[Block] = []
        self._lost: dict[str, tuple[int, str]] = {}
        self._drawn: dict[str, list[Block]] = {}
        self._relations: dict[str, Mapping[str, Relation]] = {}

    def lost(self, part: str, reason: str) -> None:
        """Note that a part can't be read, once."""
        self._lost.setdefault(part, (len(self.blocks), reason))

    def has_lost(self, part: str) -> bool:
        """Whether a part was noted as lost."""
        return part in self._lost

    def unread(self, starts: list[int], end: int) -> tuple[Unread, ...]:
        """Return what couldn't be read, by where the blocks and the text end."""
        places = [*starts, end]
        found = (Unread(places[min(at, len(starts))], part, reason) for part, (at, reason) in self._lost.items())
        return tuple(sorted(found))

    def relations(self, name: str) -> Mapping[str, Relation]:
        """Return the relationships of a part."""
        if name not in self._relations:
            self._relations[name] = self.package.relations(name)
        return self._relations[name]

    def related(self, owner: str, relation_id: str, words: str) -> str | None:
        """Return the name of the part that a relationship of another leads to; notes as lost what isn't there."""
        relation = self.relations(owner).get(relation_id)
        if relation is None or relation.external or relation.target not in self.package:
            self.lost(f"{words} ({relation.target if relation else relation_id or 'no name'})", GONE)
            return None
        return relation.target

    def companion(self, kind: str) -> str | None:
        """Return the name of the main part's styles, numbering or notes; None where it has none."""
        known = next((item.target for item in self.relations(self.main).values() if item.kind == kind), None)
        if known is not None:
            return known
        usual = f"{self.main.rpartition('/')[0]}/{kind}.xml"
        return usual if usual in self.package else None

    def main_tree(self) -> tuple[Any, str]:
        """Return the tree of the main part, or of what of it can be read, and "" or its damage."""
        part = self.package.read(self.main)
        tree, damage = parsed(part.data)
        return tree, damage or ("" if part.whole else "its bytes don't add up")

    def drawn(self, name: str | None, words: str, read: Callable[[Any], Iterable[Block]]) -> list[Block]:
        """Return the blocks of a part as `read` takes them from its tree: once, however often it is shown."""
        if name is None:
            return []
        if name not in self._drawn:
            tree = self.tree(name, words)
            self._drawn[name] = [] if tree is None else list(read(tree))
        return self._drawn[name]

    def chunk(self, name: str, words: str) -> list[Block]:
        """Return the text of a file within the document, by its own reader."""
        if name not in self._drawn:
            self._drawn[name] = self._chunk(name, words)
        return self._drawn[name]

    def _chunk(self, name: str, words: str) -> list[Block]:
        from tasks.documents.readers.read import read  # noqa: PLC0415 - it is what calls this reader

        shown = CHUNKS.get(self.package.content_type(name), name)
        data = self.package.read(name).data
        if self._depth == DEEPEST:
            self.lost(f"{words} ({name})", f"files within files, more than {DEEPEST} deep, are not read")
            return []
        try:
            content = read(data, kind_of(data, shown), shown, self._depth + 1)
        except DocumentFailed as error:
            self.lost(f"{words} ({name})", str(error))
            return []
        for unread in content.unread:
            self.lost(f"{unread.part} of {words} ({name})", unread.reason)
        return [Block(content.text.strip(), sections=content.sections)]

    def tree(self, name: str | None, words: str) -> Any:
        """Return the tree of a part, or of what of it can be read; None for none. Notes what is lost."""
        if name is None:
            return None
        part = self.package.read(name)
        if not part.data and name not in self.package:
            self.lost(f"{words} ({name})", GONE)
            return None
        tree, damage = parsed(part.data)
        if damage or not part.whole:
            damage = damage or "its bytes don't add up"
            self.lost(f"{words} ({name})", f"it is damaged ({damage}): open the document, and save it again")
        return tree
