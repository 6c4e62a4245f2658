"""The files that the inputs of a job name, here or behind URLs."""

from collections.abc import Iterator, Sequence
from glob import has_magic
from pathlib import Path
from typing import NamedTuple

from tasks.base.errors import UserMistake
from tasks.documents import local
from tasks.documents.document import Document
from tasks.documents.object_store import is_url, shown
from tasks.documents.objects import is_single, objects
from tasks.documents.tables.formats import ENDINGS, is_table


class Found(NamedTuple):
    """A file, and whether an INPUT names it and nothing else."""

    file: Document
    alone: bool


def files(inputs: Sequence[str], skip: Path | str | None) -> Iterator[Found]:
    """Yield the files of each input, in their order; `skip` is a folder or URL never entered.

    Raises UserMistake for an input that isn't there, can't be listed, or is a result set.
    """
    skipped = None if skip is None else str(skip)
    for name in inputs:
        if not name.strip():
            raise UserMistake("an INPUT is empty: name a file or folder (`.` is the current one)")
        if is_url(name):
            alone = is_single(name)
            found = objects(name, skipped if skipped and is_url(skipped) else None)
        else:
            path = local.path_of(name)
            alone = path.exists() and not path.is_dir()
            found = _here(name, path, local.path_of(skipped) if skipped and not is_url(skipped) else None)
        yield from (Found(file, alone) for file in found)


def table_files(inputs: Sequence[str], skip: Path | str | None) -> Iterator[Found]:
    """Yield the tables among the files; names that begin with `_` are a writer's own, as `_temporary`.

    Raises UserMistake as `files` does, and where there is no table, or an INPUT is another file.
    """
    found = False
    for file, alone in files(inputs, skip):
        if alone and not is_table(file.document_id):
            raise UserMistake(f"{file.path or file.source}: --text-column goes with a table ({', '.join(ENDINGS)})")
        own = any(part.startswith("_") for part in file.document_id.split("/"))
        if is_table(file.document_id) and (alone or not own):
            found = True
            yield Found(file, alone)
    if not found:
        names = ", ".join(map(shown, inputs))
        raise UserMistake(f"no table in {names}: --text-column goes with a table ({', '.join(ENDINGS)})")


def _here(name: str, path: Path, skip: Path | None) -> Iterator[Document]:
    if path.is_dir():
        return local.folder(path, skip)
    if path.exists():
        return iter((local.file(path, path.name),))
    if has_magic(name):
        return local.matches(name, skip)
    raise UserMistake(f"{name}: no such file or folder")


def identity_of(name: str) -> str:
    """Return what tells one INPUT from another: no secret, and the same from any current folder."""
    return shown(name) if is_url(name) else str(local.path_of(name).absolute())
