"""Drop the documents that have gone from the inputs, where `--prune` says so."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tasks.base.errors import StorageFailed
from tasks.documents.id_set import CompactIdSet
from tasks.jobs.job import Job
from tasks.results.parts import write_part

BATCH = 5000
T = TypeVar("T")


def prune(job: Job[Any]) -> int:
    """Drop the rows of documents that the inputs don't list any more; return how many documents.

    Nothing is dropped by a job that was stopped. Where the disk refuses, the job stops.
    """
    if not job.prepared.options.prune or job.stopped():
        return 0
    count = 0
    try:
        listed = CompactIdSet()
        for documents in batched(document.document_id for document in job.prepared.documents()):
            listed.add(documents)
        for homes in batched(job.ledger.homes()):
            # Adding these names changes nothing for later batches, as each name occurs once in the ledger.
            known = listed.add([name for name, _ in homes])
            gone = [home for home, is_known in zip(homes, known, strict=True) if not is_known]
            _drop(job, gone)
            count += len(gone)
    except StorageFailed as error:
        job.stop(error)
    job.meter.pruned = count
    return count


def _drop(job: Job[Any], gone: Iterable[tuple[str, int]]) -> None:
    """Drop rows, then their documents in the ledger: the next run completes what a kill in between leaves undone."""
    by_part: dict[int, list[str]] = defaultdict(list)
    for name, part in gone:
        by_part[part].append(name)
    for part, names in by_part.items():
        with job.writing:
            write_part(job.output, part, names, {}, job.schemas)
        job.ledger.forget(names)


def batched(items: Iterable[T]) -> Iterator[list[T]]:
    """Yield items, BATCH at a time."""
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, BATCH)):
        yield batch
