"""List the documents of a source, in a stable order, without reading them."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from tasks.base.errors import UserMistake
from tasks.documents.document import Document, Documents
from tasks.documents.groups import grouped
from tasks.documents.id_set import CompactIdSet
from tasks.documents.needed import require_columns
from tasks.documents.object_store import shown
from tasks.documents.sources import files, table_files
from tasks.documents.tables.batch import BYTES_AT_ONCE
from tasks.documents.tables.column_schema import carried_schema
from tasks.documents.tables.formats import is_table
from tasks.documents.tables.table_rows import Wanted, rows, sizes

AT_ONCE = 2048
DUPLICATE = "duplicate_id"


def list_documents(
    inputs: Sequence[str],
    *,
    skip: Path | str | None = None,
    text_column: str | None = None,
    id_column: str | None = None,
    columns: Sequence[str] = (),
) -> Documents:
    """Yield every document of `inputs`: files, folders and globs, here or behind URLs; with `text_column` table rows.

    `skip` is a folder or URL never entered (the job's own output). Hidden files and
    folders are passed over. `columns` of a table are carried along (`*` for all the others), with
    the types of `carried_schema`.
    Memory doesn't grow with the number of files, save for some 8 bytes each where identifiers could clash.

    Raises UserMistake for an input that isn't there or can't be listed, and for
    two files with one identifier; a second row with the identifier of another fails alone.
    """
    found = 0
    for document in _all(inputs, skip, text_column, id_column, columns):
        found += 1
        yield document
    if not found:
        what = "holds text" if text_column is None else "has rows"
        raise UserMistake(f"no documents in {', '.join(map(shown, inputs))}: give a folder or file that {what}")


def list_sizes(
    inputs: Sequence[str], *, skip: Path | str | None = None, text_column: str | None = None
) -> Iterator[int]:
    """Yield the sizes of what `list_documents` yields, in its order, in bytes. Raises UserMistake as it does."""
    if text_column is None:
        yield from (document.size for document in list_documents(inputs, skip=skip))
    else:
        lacking = _once(inputs, skip, [text_column])
        for file, _ in table_files(inputs, skip):
            yield from sizes(file, text_column, lacking)


def _all(
    inputs: Sequence[str],
    skip: Path | str | None,
    text_column: str | None,
    id_column: str | None,
    columns: Sequence[str],
) -> Iterator[Document]:
    if text_column is None:
        found = _files(inputs, skip)
        return found if len(inputs) == 1 else _unique(found, of_rows=False)
    schema = pa.schema([])
    if columns:
        schema = carried_schema(inputs, text_column=text_column, id_column=id_column, columns=columns, skip=skip)
    found = _rows(inputs, skip, Wanted(text_column, id_column, schema))
    return found if len(inputs) == 1 and id_column is None else _unique(found, of_rows=id_column is not None)


def _files(inputs: Sequence[str], skip: Path | str | None) -> Iterator[Document]:
    for file, alone in files(inputs, skip):
        if alone and is_table(file.document_id):
            raise UserMistake(f"{file.path or file.source}: a table needs --text-column (and --id-column)")
        yield file


def _rows(inputs: Sequence[str], skip: Path | str | None, wanted: Wanted) -> Iterator[Document]:
    lacking = _once(inputs, skip, [wanted.text, *([wanted.id] if wanted.id else [])])
    for file, alone in table_files(inputs, skip):
        yield from rows(file, wanted, lacking, alone=alone and len(inputs) == 1)


def _once(inputs: Sequence[str], skip: Path | str | None, wanted: Sequence[str]) -> Callable[[], None]:
    """Return a function that checks the tables for the columns, on its first call only."""
    return functools.cache(lambda: require_columns(table_files(inputs, skip), wanted, inputs=len(inputs)))


def _unique(documents: Iterable[Document], *, of_rows: bool) -> Iterator[Document]:
    """Let no identifier come twice: the tables hold one row each."""
    seen = CompactIdSet()
    for group in grouped(documents, AT_ONCE, BYTES_AT_ONCE):
        repeated = seen.add([document.document_id for document in group])
        for place in repeated.nonzero()[0]:
            group[place] = _renamed(group[place], seen) if of_rows else _refused(group[place])
        yield from group


def _refused(document: Document) -> Document:
    raise UserMistake(
        f"two documents are called {document.document_id!r} (one is {document.source}): "
        "give their common parent folder, or an --id-column of unique values"
    )


def _renamed(document: Document, seen: CompactIdSet) -> Document:
    """Rename a row whose identifier is taken, so that it fails under a name of its own."""
    number = document.source.rpartition("#")[2]
    for name in (f"{document.document_id}#{number}", f"{document.document_id}#{document.source}"):
        if not seen.add([name])[0]:
            trouble = f"another row is called {document.document_id!r}, too: give an --id-column of unique values"
            kept = document.trouble is not None
            return document._replace(
                document_id=name,
                trouble=document.trouble if kept else trouble,
                trouble_kind=document.trouble_kind if kept else DUPLICATE,
            )
    return _refused(document)
