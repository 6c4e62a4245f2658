"""Drop the documents that have gone from the inputs, where `--prune` says so."""

import contextlib
import itertools
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from tasks.base.errors import StorageFailed
from tasks.jobs.job import Job
from tasks.results.parts import write_part

BATCH = 5000


def prune(job: Job[Any]) -> int:
    """Drop the rows of documents that the inputs don't list any more; return how many documents.

    Nothing is dropped by a job that was stopped. Where the disk refuses, the job stops.
    """
    if not job.prepared.options.prune or job.stopped():
        return 0
    count = 0
    try:
        # On the disk, not in memory, however many documents there are.
        with contextlib.closing(sqlite3.connect("")) as listed:
            _note(listed, (document.document_id for document in job.prepared.documents()))
            for batch in _batches(job.ledger.homes()):
                gone = _gone(listed, batch)
                _drop(job, gone)
                count += len(gone)
    except StorageFailed as error:
        job.stop(error)
    job.meter.pruned = count
    return count


def _note(listed: sqlite3.Connection, names: Iterable[str]) -> None:
    listed.execute("CREATE TABLE listed (name TEXT PRIMARY KEY) WITHOUT ROWID")
    listed.executemany("INSERT OR IGNORE INTO listed VALUES (?)", ((name,) for name in names))


def _gone(listed: sqlite3.Connection, homes: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    look = "SELECT 1 FROM listed WHERE name = ?"
    return [(name, part) for name, part in homes if listed.execute(look, (name,)).fetchone() is None]


def _drop(job: Job[Any], gone: Iterable[tuple[str, int]]) -> None:
    """Drop rows, then what the ledger knows of them: a kill in between leaves nothing that isn't mended."""
    by_part: dict[int, list[str]] = defaultdict(list)
    for name, part in gone:
        by_part[part].append(name)
    for part, names in by_part.items():
        with job.writing:
            write_part(job.output, part, names, {}, job.schemas)
        job.ledger.forget(names)


def _batches(homes: Iterator[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    while batch := list(itertools.islice(homes, BATCH)):
        yield batch
