"""What is written into a PDF's form and beside its text: values of fields, and notes, each at its place."""

import ctypes
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium_c

from tasks.documents.readers.pdf.glyphs import Glyphs

LISTS = (pdfium_c.FPDF_FORMFIELD_COMBOBOX, pdfium_c.FPDF_FORMFIELD_LISTBOX)
BOXES = (pdfium_c.FPDF_FORMFIELD_CHECKBOX, pdfium_c.FPDF_FORMFIELD_RADIOBUTTON)
# What is no remark on the page: a link tells where it leads, and a window shows another's words.
NO_NOTES = (pdfium_c.FPDF_ANNOT_LINK, pdfium_c.FPDF_ANNOT_POPUP, pdfium_c.FPDF_ANNOT_WIDGET)
# Remarks on the words that they cover.
MARKUPS = (
    pdfium_c.FPDF_ANNOT_HIGHLIGHT,
    pdfium_c.FPDF_ANNOT_UNDERLINE,
    pdfium_c.FPDF_ANNOT_SQUIGGLY,
    pdfium_c.FPDF_ANNOT_STRIKEOUT,
    pdfium_c.FPDF_ANNOT_CARET,
)
UNSEEN = pdfium_c.FPDF_ANNOT_FLAG_HIDDEN | pdfium_c.FPDF_ANNOT_FLAG_NOVIEW
PASSWORD = pdfium_c.FPDF_FORMFLAG_TEXT_PASSWORD
MOST_ANNOTATIONS, MOST_OPTIONS = 5000, 1000
BREAK = re.compile(r"\s")
# How far from a field's edge its label may be, in points.
NEAR = 12.0
LINE = 4.0


class Written(NamedTuple):
    """A text that somebody wrote onto a page, the name of its field, and where its place in a line is, in points."""

    text: str
    name: str
    x: float
    y: float


def fields(glyphs: Glyphs, page: Any, form: Any) -> tuple[list[tuple[int, str]], list[str]]:
    """Return what is written into a page's fields and notes: where each belongs in its text, behind its label.

    What has nothing near it comes second, as lines that begin with the field's name.
    """
    count = min(pdfium_c.FPDFPage_GetAnnotCount(page.raw), MOST_ANNOTATIONS)
    written = [found for number in range(count) if (found := _written(page, form, number)) is not None]
    inserted: list[tuple[int, str]] = []
    last: list[str] = []
    for one in written:
        index = _index_before(glyphs, one)
        if index is None:
            last.append(f"{one.name}: {one.text}" if one.name else one.text)
        else:
            end = BREAK.search(glyphs.text, index + 1)
            inserted.append((end.start() if end else len(glyphs.text), f" {one.text}"))
    return inserted, last


def _written(page: Any, form: Any, number: int) -> Written | None:
    annotation = pdfium_c.FPDFPage_GetAnnot(page.raw, number)
    try:
        box = pdfium_c.FS_RECTF()
        if pdfium_c.FPDFAnnot_GetFlags(annotation) & UNSEEN or not pdfium_c.FPDFAnnot_GetRect(annotation, box):
            return None
        subtype = pdfium_c.FPDFAnnot_GetSubtype(annotation)
        text = name = ""
        if subtype == pdfium_c.FPDF_ANNOT_WIDGET and form is not None:
            text, name = _value(form, annotation), _string(pdfium_c.FPDFAnnot_GetFormFieldName, form, annotation)
        elif subtype not in NO_NOTES:
            text = _string(pdfium_c.FPDFAnnot_GetStringValue, annotation, b"Contents")
        words, middle = " ".join(text.split()), (box.bottom + box.top) / 2
        if subtype in MARKUPS and words:
            return Written(f"[{words}]", name, box.right - LINE, middle)  # within the last letter that it covers
        return Written(words, name, box.left, middle) if words else None
    finally:
        pdfium_c.FPDFPage_CloseAnnot(annotation)


def _value(form: Any, annotation: Any) -> str:
    """Return what a field shows: nothing where it hides what is typed."""
    kind = pdfium_c.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in BOXES:
        return "[x]" if pdfium_c.FPDFAnnot_IsChecked(form, annotation) else "[ ]"
    hides = kind == pdfium_c.FPDF_FORMFIELD_TEXTFIELD and (
        pdfium_c.FPDFAnnot_GetFormFieldFlags(form, annotation) & PASSWORD
    )
    if hides or kind not in (*LISTS, pdfium_c.FPDF_FORMFIELD_TEXTFIELD):
        return ""
    chosen = ", ".join(_chosen(form, annotation)) if kind in LISTS else ""
    return chosen or _string(pdfium_c.FPDFAnnot_GetFormFieldValue, form, annotation)


def _chosen(form: Any, annotation: Any) -> Iterator[str]:
    """Yield the labels of all chosen options of a list: its value may be a code, and the first of several."""
    for number in range(min(pdfium_c.FPDFAnnot_GetOptionCount(form, annotation), MOST_OPTIONS)):
        if pdfium_c.FPDFAnnot_IsOptionSelected(form, annotation, number):
            yield _string(pdfium_c.FPDFAnnot_GetOptionLabel, form, annotation, number)


def _string(get: Any, *arguments: Any) -> str:
    """Return what a function of PDFium's writes in UTF-16 into a buffer; its result is the length in bytes."""
    length = get(*arguments, None, 0)
    if length <= 2:
        return ""
    buffer = ctypes.create_string_buffer(length)
    get(*arguments, ctypes.cast(buffer, ctypes.POINTER(pdfium_c.FPDF_WCHAR)), length)
    return buffer.raw[: length - 2].decode("utf-16-le", "replace")


def _index_before(glyphs: Glyphs, one: Written) -> int | None:
    """Return the index of the last letter on a line before a place."""
    found = [index for x in _steps(one.x) if (index := glyphs.index_at(x, one.y, NEAR / 2, LINE)) is not None]
    return max(found, default=None)


def _steps(left: float) -> Iterator[float]:
    """Yield where to look for a label: from a field's left edge on to the left."""
    at = left - 1
    while at > max(0.0, left - 20 * NEAR):
        yield at
        at -= NEAR
