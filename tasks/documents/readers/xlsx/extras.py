"""What lies on a sheet besides its cells: comments, text boxes, charts, check boxes, objects of other programs."""

from collections.abc import Iterator
from typing import Any

from tasks.documents.readers.docx.names import V, number
from tasks.documents.readers.drawn.boxes import DrawnBox, Placed
from tasks.documents.readers.drawn.parts import PartReader
from tasks.documents.readers.drawn.shapes import NoLayout, placed
from tasks.documents.readers.package import Relation
from tasks.documents.readers.xlsx.book import Workbook, in_a_line, rich_text
from tasks.documents.readers.xlsx.names import cell_place

X = "{urn:schemas-microsoft-com:office:excel}"
CHECKED, UNCHECKED = "☒", "☐"
CHOICES = ("Checkbox", "Radio")
# What older programs show in a comment's place, where it is part of a conversation.
THREAD = "[Threaded comment]"


def extras(book: Workbook, parts: PartReader) -> list[str]:
    """Return the texts, by where they stand; comments as `Comment on B2 (Ann): …`."""
    texts = [text for relation in parts.of_kind("drawing") for text in _drawing(relation, book, parts)]
    for relation in parts.of_kind("vmlDrawing"):
        texts += _controls(relation, parts)
    return [*texts, *_objects(parts), *_comments(book, parts)]


def _drawing(relation: Relation, book: Workbook, parts: PartReader) -> list[str]:
    """Return the texts of the shapes and charts that are drawn on a sheet."""
    tree = parts.named(relation.target, "drawing")
    if tree is None:
        return []
    own = PartReader(book.package, relation.target)
    found: list[Placed] = []
    for anchor in tree:
        if isinstance(anchor.tag, str):
            at = _corner(anchor)
            found += (item._replace(box=at) for item in placed(anchor, own, NoLayout()))
    parts.lost += own.lost
    return [text for item in sorted(found, key=lambda item: (item.box.y, item.box.x)) for text in item.texts]


def _corner(anchor: Any) -> DrawnBox:
    """Return the cell that an anchor begins in."""
    return DrawnBox(_whole(anchor.find("{*}from/{*}col")), _whole(anchor.find("{*}from/{*}row")))


def _whole(element: Any) -> int:
    return 0 if element is None else number((element.text or "").strip())


def _controls(relation: Relation, parts: PartReader) -> Iterator[str]:
    """Yield the texts of form controls, check boxes and options with their state."""
    tree = parts.named(relation.target, "form controls")
    for shape in () if tree is None else tree.iter(f"{V}shape"):
        data = shape.find(f"{X}ClientData")
        kind = "Note" if data is None else data.get("ObjectType", "")
        box = shape.find(f"{V}textbox")
        text = "" if box is None or kind == "Note" else " ".join(" ".join(box.itertext()).split())
        if kind in CHOICES and data is not None:
            checked = data.findtext(f"{X}Checked", "0").strip() not in ("0", "")
            yield f"{CHECKED if checked else UNCHECKED} {text}".strip()
        elif text:
            yield text


def _objects(parts: PartReader) -> Iterator[str]:
    """Yield the texts of documents that are embedded in a sheet."""
    for name, relation in parts.relations.items():
        if relation.kind in ("package", "oleObject") and not relation.external:
            yield from parts.embedded(name, relation.target.rpartition("/")[2])


def _comments(book: Workbook, parts: PartReader) -> Iterator[str]:
    people = book.people()
    found: list[tuple[tuple[int, int], str]] = []
    threads = parts.of_kind("threadedComment")
    for relation in threads:
        tree = parts.named(relation.target, "comments")
        for item in () if tree is None else tree.iter("{*}threadedComment"):
            text = in_a_line(item.findtext("{*}text", ""))
            found.append(_comment(item.get("ref", ""), people.get(item.get("personId", ""), ""), text))
    for relation in parts.of_kind("comments"):
        tree = parts.named(relation.target, "comments")
        authors = [] if tree is None else [item.text or "" for item in tree.iterfind("{*}authors/{*}author")]
        for item in () if tree is None else tree.iter("{*}comment"):
            text = "".join(rich_text(held) for held in item.iterfind("{*}text"))
            at = number(item.get("authorId"), -1)
            if not (threads and text.startswith(THREAD)):
                found.append(_comment(item.get("ref", ""), authors[at] if 0 <= at < len(authors) else "", text))
    yield from (text for _, text in sorted(found, key=lambda item: item[0]) if text)


def _comment(place: str, author: str, text: str) -> tuple[tuple[int, int], str]:
    """Return a comment with its row and column; older programs begin it with its author's name."""
    words = text.removeprefix(f"{author}:").strip()
    column, row = cell_place(place)
    by = f" ({author})" if author and not author.startswith("tc=") else ""
    return (row, column), f"Comment on {place}{by}: {words}" if words else ""
