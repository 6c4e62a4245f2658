"""The answers that are held to be right: a column of the inputs' table, a table or a folder of their own."""

from pathlib import Path

from tasks.base.errors import DocumentFailed, UserMistake
from tasks.comparison.document_sample import Sample
from tasks.documents.document import Document, Documents
from tasks.documents.extract import extract
from tasks.documents.listing import list_documents
from tasks.documents.tables.formats import is_table

ID, TEXT = "document_id", "reference"


def is_column(reference: str | None, text_column: str | None) -> bool:
    """Whether `--reference` names a column: the inputs are a table, and there is no such file."""
    return reference is not None and text_column is not None and not Path(reference).exists()


def references(reference: str, sample: Sample, text_column: str | None, id_column: str | None) -> dict[str, str]:
    """Return the references of a sample by document; of some there may be none.

    A table has the columns `document_id` (or the id column's name) and `reference`; a folder has a
    text for each document, of the same name whatever its ending. Raises UserMistake where there is none at all.
    """
    if is_column(reference, text_column):
        texts = {one.document_id: _text((one.columns or {}).get(reference)) for one in sample.documents}
    else:
        texts = _of(_listed(reference, id_column), sample)
    found = {name: text for name, text in texts.items() if text.strip()}
    if not found:
        example = sample.documents[0].document_id
        raise UserMistake(f"--reference {reference}: none of the sample's documents has one, as {example!r}")
    return found


def without(reference: str, document: Document) -> Document:
    """Return a document that doesn't carry its reference: no prompt is to show it."""
    columns = {name: value for name, value in (document.columns or {}).items() if name != reference}
    return document._replace(columns=columns or None)


def _listed(reference: str, id_column: str | None) -> Documents:
    if not Path(reference).exists():
        raise UserMistake(f"--reference {reference}: no such file or folder, nor a table's column (--text-column)")
    if not is_table(reference):
        return list_documents([reference])
    return list_documents([reference], text_column=TEXT, id_column=id_column or ID)


def _of(listed: Documents, sample: Sample) -> dict[str, str]:
    """Return the texts by the sample's document of the same name; without one, the file extension is ignored."""
    stems = {_stem(name): name for name in sample.names}
    found: dict[str, str] = {}
    for document in listed:
        name = document.document_id if document.document_id in sample.characters else stems.get(_stem(document))
        if name is not None and (name == document.document_id or name not in found):
            found[name] = _read(document)
    return found


def _read(document: Document) -> str:
    try:
        return extract(document).text
    except DocumentFailed as error:
        raise UserMistake(f"--reference: {document.document_id} can't be read: {error}") from error


def _stem(name: str | Document) -> str:
    text = name.document_id if isinstance(name, Document) else name
    folder, slash, last = text.rpartition("/")
    return folder + slash + last.partition(".")[0]


def _text(value: object) -> str:
    return "" if value is None else str(value)
