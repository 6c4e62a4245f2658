"""PPTX and XLSX to text."""

import io
from collections.abc import Iterator
from typing import Any

from tasks.documents.readers.pdf import PAGE


def read_pptx(data: bytes) -> str:
    """Return the slides, a page each: title, texts, tables, notes."""
    from pptx import Presentation  # noqa: PLC0415 - each reader loads what it needs, in a process of its own

    return PAGE.join("\n\n".join(_slide(slide)) for slide in Presentation(io.BytesIO(data)).slides)


def _slide(slide: Any) -> Iterator[str]:
    title = slide.shapes.title
    if title is not None and title.text_frame.text.strip():
        yield f"# {title.text_frame.text}"
    for shape in slide.shapes:
        if title is None or shape.shape_id != title.shape_id:
            yield from _shape(shape)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        yield slide.notes_slide.notes_text_frame.text


def _shape(shape: Any) -> Iterator[str]:
    if hasattr(shape, "shapes"):  # a group
        for part in shape.shapes:
            yield from _shape(part)
    elif shape.has_text_frame and shape.text_frame.text.strip():
        yield shape.text_frame.text
    elif getattr(shape, "has_table", False):
        yield "\n".join("\t".join(cell.text for cell in row.cells) for row in shape.table.rows)


def read_xlsx(data: bytes) -> str:
    """Return the sheets, a page each: a heading, and rows whose cells are parted by tabs."""
    from openpyxl import load_workbook  # noqa: PLC0415

    book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    return PAGE.join(f"# {sheet.title}\n\n" + "\n".join(_rows(sheet)) for sheet in book.worksheets)


def _rows(sheet: Any) -> Iterator[str]:
    for row in sheet.iter_rows(values_only=True):
        cells = ["" if cell is None else str(cell) for cell in row]
        if any(cells):
            yield "\t".join(cells).rstrip("\t")
