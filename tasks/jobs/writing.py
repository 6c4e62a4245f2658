"""Write finished documents' rows in steps, such that a kill between any two of them loses nothing."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tasks.base.errors import JobPaused
from tasks.calls.call_context import DocumentProgress
from tasks.calls.rows import Result
from tasks.jobs.job_context import JobContext
from tasks.ledger.records import ASSIGNED, Finished
from tasks.results.parts import as_table, write_part
from tasks.results.schemas import Schemas


class Rows(NamedTuple):
    """The rows of finished documents by table, and what the ledger is told of each of them."""

    tables: Mapping[str, pa.Table]
    finished: Sequence[Finished]


def rows_of(results: Sequence[Result], schemas: Schemas) -> Rows:
    """Return the rows of documents that were answered one by one."""
    rows = {
        "documents": [result.document for result in results],
        "calls": [row for result in results for row in result.calls],
        "failures": [row for result in results for row in result.failures],
        "sections": [row for result in results for row in result.sections],
    }
    tables = {name: as_table(some, schemas[name]) for name, some in rows.items()}
    return Rows(tables, [_finished(result) for result in results])


def begun_rows(begun: Sequence[DocumentProgress], schemas: Schemas) -> Rows:
    """Return the rows of calls for documents that a stopped job left unfinished."""
    calls = as_table([call for progress in begun for call in progress.calls], schemas["calls"])
    return Rows({"calls": calls}, [_counted(progress.document_id, progress.calls) for progress in begun])


def write_begun(job: JobContext[Any], part: int, rows: Rows) -> None:
    """Write what was paid for documents without an end, whose rows in the other tables stay as they are."""
    write(job, part, rows, schemas={"calls": job.schemas["calls"]})


def write(job: JobContext[Any], part: int, *some: Rows, schemas: Schemas | None = None) -> bool:
    """Write rows, and record that they are; where the disk refuses, stop the job."""
    finished = [one for rows in some for one in rows.finished]
    try:
        homes = job.ledger.assign([one.document_id for one in finished], job.fingerprint, part)
        with job.writing:
            for home in sorted(set(homes.values())):
                mine = [name for name, place in homes.items() if place == home]
                tables = _tables(some, None if len(mine) == len(homes) else mine)
                with job.ledger.writing(home):
                    job.check_leader()
                    write_part(job.output, home, mine, tables, schemas or job.schemas)
                job.observer.note("part written", part=home, documents=len(mine))
        job.ledger.finish(finished, homes, job.fingerprint)
    except JobPaused as error:
        job.stop(error)
        return False
    return True


def _tables(some: Sequence[Rows], names: Collection[str] | None) -> dict[str, pa.Table]:
    """Return the tables of all rows, or of those of some documents."""
    every = {name: [rows.tables[name] for rows in some if name in rows.tables] for name in _names(some)}
    tables = {name: pa.concat_tables(tables) for name, tables in every.items()}
    if names is None:
        return tables
    mine = pa.array(list(names), pa.string())
    return {name: table.filter(pc.is_in(table["document_id"], value_set=mine)) for name, table in tables.items()}


def _names(some: Sequence[Rows]) -> list[str]:
    return list(dict.fromkeys(name for rows in some for name in rows.tables))


def _finished(result: Result) -> Finished:
    row = result.document
    counted = _counted(row["document_id"], result.calls)
    return counted._replace(
        content_sha256=row["content_sha256"],
        status=row["status"],
        cost_usd=row["cost_usd"],
        fingerprint=result.fingerprint,
    )


def _counted(document_id: str, calls: Sequence[Mapping[str, Any]]) -> Finished:
    """Tokens and cost are what was paid for: a reused answer adds none."""
    paid, costs = [call for call in calls if not call["reused"]], [call["cost_usd"] for call in calls]
    return Finished(
        document_id,
        None,
        ASSIGNED,
        len(calls),
        len(calls) - len(paid),
        sum([call["prompt_tokens"] for call in paid]),
        sum([call["completion_tokens"] for call in paid]),
        None if None in costs else sum(costs),
    )
