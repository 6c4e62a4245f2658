"""List the documents of a source, in a stable order, without reading them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from glob import has_magic, iglob
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote, urlsplit

from tasks.documents.document import Document, Documents
from tasks.documents.tables import is_table, rows
from tasks.errors import UserMistake

RESULTS = ".docmill"


def list_documents(
    inputs: Sequence[str],
    *,
    skip: Path | None = None,
    text_column: str | None = None,
    id_column: str | None = None,
    columns: Sequence[str] = (),
) -> Documents:
    """Yield every document of `inputs`: files, folders, globs and tables.

    `columns` of a table are carried along with each document ("*": all but the text and the id).
    `skip` is a folder never entered (the job's own output). Hidden files and
    folders are passed over. Memory doesn't grow with the number of files, save
    for one 8-byte hash each where identifiers could clash.

    Raises UserMistake for an input that isn't there or can't be listed, and for
    two documents with one identifier.
    """
    found = 0
    for document in _unique(_all(inputs, skip, text_column, id_column, columns), inputs):
        found += 1
        yield document
    if not found:
        raise UserMistake(f"no documents in {', '.join(inputs)}: give a folder or file that holds text")


def _all(
    inputs: Sequence[str],
    skip: Path | None,
    text_column: str | None,
    id_column: str | None,
    columns: Sequence[str],
) -> Iterator[Document]:
    for name in inputs:
        if not name.strip():
            raise UserMistake("an INPUT is empty: name a file or folder (`.` is the current one)")
        if "://" in name and not name.startswith("file://"):
            raise UserMistake(f"{name}: URLs aren't read yet; copy the documents to a folder first")
        path = Path(unquote(urlsplit(name).path) if name.startswith("file://") else name)
        if path.is_dir():
            _refuse_results(path, skip)
            yield from _folder(path, path, skip.resolve() if skip else None)
        elif path.exists() and text_column:
            yield from rows(path, text_column, id_column, columns)
        elif path.is_file() and is_table(path):
            raise UserMistake(f"{name}: a table needs --text-column (and --id-column)")
        elif path.exists():
            yield _file(path, path.name)
        elif has_magic(name):
            yield from _glob(name, skip.resolve() if skip else None)
        else:
            raise UserMistake(f"{name}: no such file or folder")


def _refuse_results(path: Path, skip: Path | None) -> None:
    """Refuse to read a result set: its files would be taken for documents, and paid for."""
    if (path / RESULTS).exists() or (skip is not None and path.resolve() == skip.resolve()):
        raise UserMistake(f"{path} is, or is to be, a result set: give an INPUT and an --output that differ")


def _folder(root: Path, folder: Path, skip: Path | None) -> Iterator[Document]:
    """Walk depth first in name order, one folder's names in memory at a time."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise UserMistake(f"{folder}: can't be listed: {error.strerror}") from error
    # Strings all the way: a million paths as objects take most of the time of listing them.
    base, inside = folder.absolute().as_uri().rstrip("/"), folder.relative_to(root).as_posix()
    inside = "" if inside == "." else f"{inside}/"
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            path = Path(entry.path)
            if (path / RESULTS).exists() or (skip is not None and path.resolve() == skip):
                continue  # the result set of another job, or of this one
            yield from _folder(root, path, skip)
        elif not entry.is_dir():
            uri = f"{base}/{quote_from_bytes(os.fsencode(entry.name))}"
            yield Document(_identifier(inside + entry.name), uri, _size(entry), path=entry.path)


def _glob(pattern: str, skip: Path | None) -> Iterator[Document]:
    """Match a glob; identifiers are relative to the part before the first wildcard."""
    parts = Path(pattern).parts
    fixed = next(number for number, part in enumerate(parts) if has_magic(part))
    root = Path(*parts[:fixed])
    names = sorted(iglob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    for path in map(Path, names):
        inside = skip is not None and path.resolve().is_relative_to(skip)
        if path.is_file() and not inside:
            yield _file(path, path.relative_to(root).as_posix())


def _file(path: Path, document_id: str) -> Document:
    return Document(_identifier(document_id), path.absolute().as_uri(), _size(path), path=str(path))


def _size(entry: "os.DirEntry[str] | Path") -> int:
    """A dangling link or unreadable file is listed all the same: its read says why."""
    try:
        return entry.stat().st_size
    except OSError:
        return 0


def _identifier(name: str) -> str:
    """A name that isn't UTF-8 arrives with surrogates, which no table can hold."""
    return name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _unique(documents: Iterable[Document], inputs: Sequence[str]) -> Iterator[Document]:
    """Refuse the second document of one identifier: the tables hold one row each."""
    one_folder = len(inputs) == 1 and Path(inputs[0]).is_dir()
    seen: set[int] = set()
    for document in documents:
        if not one_folder:
            key = hash(document.document_id)
            if key in seen:
                raise UserMistake(
                    f"two documents are called {document.document_id!r} (one is {document.source}): "
                    "give their common parent folder, or an --id-column of unique values"
                )
            seen.add(key)
        yield document
