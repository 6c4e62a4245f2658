"""Documents in small groups: many are asked of at once, and memory stays flat however large they are."""

from collections.abc import Iterable, Iterator

from tasks.documents.document import Document


def grouped(documents: Iterable[Document], most: int, largest: int) -> Iterator[list[Document]]:
    """Yield groups of at the most so many, in their order; one that reaches `largest` bytes is closed."""
    group: list[Document] = []
    size = 0
    for document in documents:
        group.append(document)
        size += document.size
        if len(group) == most or size >= largest:
            yield group
            group, size = [], 0
    if group:
        yield group
