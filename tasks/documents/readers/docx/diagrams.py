"""SmartArt to nested items (ECMA-376, part 1, 21.4)."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tasks.documents.readers.docx.names import DGM, A, number

NO_NODES = ("pres", "parTrans", "sibTrans")


def diagram_items(tree: Any) -> Iterator[str]:
    """Yield the texts of a diagram's shapes as items of a list in Markdown, each under the one that it belongs to."""
    texts = {point.get("modelId"): _text(point) for point in tree.iter(f"{DGM}pt") if point.get("type") not in NO_NODES}
    below: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for link in tree.iter(f"{DGM}cxn"):
        if link.get("type", "parOf") == "parOf":
            below[link.get("srcId")].append((number(link.get("srcOrd")), link.get("destId")))
    children = {child for links in below.values() for _, child in links}
    stack = [(name, 0) for name in reversed(texts) if name not in children]
    while stack:
        name, depth = stack.pop()
        text = texts.pop(name, None)
        if text is None:
            continue
        if text:
            yield f"{'  ' * depth}- {text}"
        stack += [(child, depth + bool(text)) for _, child in sorted(below[name], reverse=True)]
    yield from (f"- {text}" for text in texts.values() if text)


def _text(point: Any) -> str:
    paragraphs = ("".join(part.text or "" for part in item.iter(f"{A}t")) for item in point.iter(f"{A}p"))
    return " ".join(filter(None, paragraphs))
