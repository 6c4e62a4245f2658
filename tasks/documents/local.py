"""List the files of this machine, in a stable order, without reading them."""

import os
from collections.abc import Iterator
from glob import has_magic, iglob
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote, urlsplit

from tasks.base.errors import UserMistake
from tasks.documents.document import Document

STATE, RECORD, TABLE = ".docmill", "job.json", "documents"


def path_of(name: str) -> Path:
    """Return the path of an INPUT, which may be a `file://` URL."""
    return Path(unquote(urlsplit(name).path) if name.startswith("file://") else name)


def is_result_set(names: set[str]) -> bool:
    """Whether a folder that holds these names is a result set: its files would be taken for documents, and paid for."""
    return STATE in names or {RECORD, TABLE} <= names


def refuse_results(name: str) -> UserMistake:
    """Return the mistake of giving a result set as INPUT."""
    return UserMistake(f"{name} is, or is to be, a result set: give an INPUT and an --output that differ")


def folder(root: Path, skip: Path | None) -> Iterator[Document]:
    """Walk depth first in name order, one folder's names in memory at a time.

    `skip` is a folder never entered, nor is a result set or a hidden one.

    Raises UserMistake for a folder that can't be listed or that is a result set itself.
    """
    yield from _folder(root, root, skip.resolve() if skip else None)


def _folder(root: Path, inner: Path, skip: Path | None) -> Iterator[Document]:
    try:
        entries = sorted(os.scandir(inner), key=lambda entry: entry.name)
    except OSError as error:
        raise UserMistake(f"{inner}: can't be listed: {error.strerror}") from error
    if is_result_set({entry.name for entry in entries}) or (skip is not None and inner.resolve() == skip):
        if inner is root:
            raise refuse_results(str(root))
        return  # of another job, or of this one
    # Strings all the way: a million paths as objects take most of the time of listing them.
    base, inside = inner.absolute().as_uri().rstrip("/"), inner.relative_to(root).as_posix()
    inside = "" if inside == "." else f"{inside}/"
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _folder(root, Path(entry.path), skip)
        elif not entry.is_dir():
            uri = f"{base}/{quote_from_bytes(os.fsencode(entry.name))}"
            yield Document(_identifier(inside + entry.name), uri, _size(entry), path=entry.path)


def matches(pattern: str, skip: Path | None) -> Iterator[Document]:
    """Match a glob; identifiers are relative to the part before the first wildcard."""
    parts = Path(pattern).parts
    fixed = next(number for number, part in enumerate(parts) if has_magic(part))
    root, left_out = Path(*parts[:fixed]), skip.resolve() if skip else None
    names = sorted(iglob(pattern, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    for path in map(Path, names):
        inside = left_out is not None and path.resolve().is_relative_to(left_out)
        if path.is_file() and not inside:
            yield file(path, path.relative_to(root).as_posix())


def file(path: Path, document_id: str) -> Document:
    """Return one file as a document of that name."""
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
