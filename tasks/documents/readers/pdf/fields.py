"""What is written into a PDF's form and beside its text: values of fields, and notes, each at its place."""

import ctypes
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium_c

CHOICES = (pdfium_c.FPDF_FORMFIELD_COMBOBOX, pdfium_c.FPDF_FORMFIELD_LISTBOX, pdfium_c.FPDF_FORMFIELD_TEXTFIELD)
BOXES = (pdfium_c.FPDF_FORMFIELD_CHECKBOX, pdfium_c.FPDF_FORMFIELD_RADIOBUTTON)
NOTES = (pdfium_c.FPDF_ANNOT_FREETEXT, pdfium_c.FPDF_ANNOT_TEXT)
MOST_ANNOTATIONS = 5000
BREAK = re.compile(r"\s")
# How far from a field's edge its label may be, in points.
NEAR = 12.0
LINE = 4.0


class Written(NamedTuple):
    """A text that somebody wrote onto a page, and where: left, bottom, right, top, in points."""

    text: str
    left: float
    bottom: float
    right: float
    top: float


def fields(text: str, page: Any, textpage: Any, form: Any) -> tuple[list[tuple[int, str]], list[str]]:
    """Return what is written into a page's fields and notes: where each belongs in its text, behind its label.

    What has nothing near it comes second, as lines that begin with the field's name.
    """
    count = min(pdfium_c.FPDFPage_GetAnnotCount(page.raw), MOST_ANNOTATIONS)
    written = [found for number in range(count) if (found := _written(page, form, number)) is not None]
    inserted: list[tuple[int, str]] = []
    last: list[str] = []
    for one, name in written:
        index = _index_before(textpage, one)
        if index is None:
            last.append(f"{name}: {one.text}" if name else one.text)
        else:
            end = BREAK.search(text, index + 1)
            inserted.append((end.start() if end else len(text), f" {one.text}"))
    return inserted, last


def _written(page: Any, form: Any, number: int) -> tuple[Written, str] | None:
    annotation = pdfium_c.FPDFPage_GetAnnot(page.raw, number)
    try:
        subtype = pdfium_c.FPDFAnnot_GetSubtype(annotation)
        text = name = ""
        if subtype == pdfium_c.FPDF_ANNOT_WIDGET and form is not None:
            text, name = _value(form, annotation), _string(pdfium_c.FPDFAnnot_GetFormFieldName, form, annotation)
        elif subtype in NOTES:
            text = _string(pdfium_c.FPDFAnnot_GetStringValue, annotation, b"Contents")
        box = pdfium_c.FS_RECTF()
        if not text.strip() or not pdfium_c.FPDFAnnot_GetRect(annotation, box):
            return None
        return Written(" ".join(text.split()), box.left, box.bottom, box.right, box.top), name
    finally:
        pdfium_c.FPDFPage_CloseAnnot(annotation)


def _value(form: Any, annotation: Any) -> str:
    kind = pdfium_c.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in BOXES:
        return "[x]" if pdfium_c.FPDFAnnot_IsChecked(form, annotation) else "[ ]"
    return _string(pdfium_c.FPDFAnnot_GetFormFieldValue, form, annotation) if kind in CHOICES else ""


def _string(get: Any, *arguments: Any) -> str:
    """Return what a function of PDFium's writes in UTF-16 into a buffer; its result is the length in bytes."""
    length = get(*arguments, None, 0)
    if length <= 2:
        return ""
    buffer = ctypes.create_string_buffer(length)
    get(*arguments, ctypes.cast(buffer, ctypes.POINTER(pdfium_c.FPDF_WCHAR)), length)
    return buffer.raw[: length - 2].decode("utf-16-le", "replace")


def _index_before(textpage: Any, one: Written) -> int | None:
    """Return the index of the last character on a field's line before it."""
    middle = (one.bottom + one.top) / 2
    found = [index for x in _steps(one.left) if (index := textpage.get_index(x, middle, NEAR / 2, LINE)) is not None]
    return max(found, default=None)


def _steps(left: float) -> Iterator[float]:
    """Yield where to look for a label: from a field's left edge on to the left."""
    at = left - 1
    while at > max(0.0, left - 20 * NEAR):
        yield at
        at -= NEAR
