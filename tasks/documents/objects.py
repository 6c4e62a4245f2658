"""List the objects of a store, in a stable order, one folder's names in memory at a time."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from glob import has_magic

from tasks.base.errors import UserMistake
from tasks.documents.document import Document, Remote
from tasks.documents.local import is_result_set, refuse_results
from tasks.documents.object_store import (
    WEB,
    ObjectEntry,
    ObjectStore,
    entries,
    entry,
    scheme_of,
    shown,
    store,
    web_name,
)

Segments = tuple[str, ...]
ANY_DEPTH = "**"
BUCKET_PARTS = 3  # between slashes, as in s3://bucket


def is_single(url: str) -> bool:
    """Whether a URL names one object, not a folder or a glob. Raises UserMistake as `objects` does."""
    return scheme_of(url) in WEB or not (has_magic(url) or entry(store(url)).is_folder)


def objects(url: str, skip: str | None) -> Iterator[Document]:
    """Yield the objects of a URL: one, a folder with all below it, or those that a glob matches.

    `skip` is a URL never entered; hidden names and result sets are passed over.

    Raises UserMistake for what isn't there, or can't be listed, and for a result set.
    """
    if scheme_of(url) in WEB:
        yield _web(url)
        return
    left_out = store(skip).path.rstrip("/") if skip is not None and scheme_of(skip) == scheme_of(url) else None
    if has_magic(url):
        yield from _matches(url, left_out)
        return
    remote = store(url)
    found = entry(remote)
    if found.is_folder:
        yield from _folder(remote, remote.path.rstrip("/"), left_out, [(ANY_DEPTH,)])
    else:
        yield _document(remote, found, found.name)


def _web(url: str) -> Document:
    remote = store(url)
    return Document(web_name(url), shown(url), entry(remote).size, remote=Remote(url, remote.path))


def _matches(pattern: str, skip: str | None) -> Iterator[Document]:
    parts = pattern.split("/")
    fixed = next(number for number, part in enumerate(parts) if has_magic(part))
    if fixed < BUCKET_PARTS and scheme_of(pattern) != "memory":
        raise UserMistake(f"{shown(pattern)}: no wildcard in the name of a bucket, please")
    remote = store("/".join(parts[:fixed]))
    yield from _folder(remote, remote.path.rstrip("/"), skip, [tuple(parts[fixed:])])


def _folder(remote: ObjectStore, folder: str, skip: str | None, patterns: list[Segments]) -> Iterator[Document]:
    """Walk depth first in name order; `patterns` are what paths from this folder on may match."""
    found = entries(remote, folder)
    root = remote.path.rstrip("/")
    if folder == skip or is_result_set({one.name for one in found}):
        if folder == root:
            raise refuse_results(shown(remote.url))
        return  # of another job, or of this one
    for one in found:
        if one.name.startswith("."):
            continue
        left = _after(patterns, one.name)
        if one.is_folder and any(left):
            yield from _folder(remote, one.path.rstrip("/"), skip, left)
        elif not one.is_folder and any(pattern in {(), (ANY_DEPTH,)} for pattern in left):
            yield _document(remote, one, one.path.removeprefix(root).lstrip("/"))


def _after(patterns: list[Segments], name: str) -> list[Segments]:
    """Return what may follow once `name` has been matched."""
    left: list[Segments] = []
    for first, *rest in filter(None, patterns):
        if first == ANY_DEPTH:
            left.append((first, *rest))
            left += _after([tuple(rest)], name)
        elif fnmatchcase(name, first):
            left.append(tuple(rest))
    return left


def _document(remote: ObjectStore, found: ObjectEntry, document_id: str) -> Document:
    scheme = scheme_of(remote.url)
    source = f"{scheme}://{found.path.lstrip('/')}"
    return Document(document_id, source, found.size, remote=Remote(remote.url, found.path))
