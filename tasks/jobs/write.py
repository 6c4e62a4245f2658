"""Write finished documents' rows, in steps of which a kill between any two loses nothing."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tasks.errors import JobStopped
from tasks.jobs.job import Job
from tasks.jobs.rows import Result
from tasks.ledger.records import Finished
from tasks.results.parts import write_part
from tasks.results.schemas import Row
from tasks.results.vectors import chunks_table


def write(job: Job[Any], part: int, results: Sequence[Result]) -> bool:
    """Write rows, and record that they are; where the disk refuses, stop the job."""
    try:
        homes = job.ledger.assign([result.document["document_id"] for result in results], job.work, part)
        with job.writing:
            for home in sorted(set(homes.values())):
                mine = [result for result in results if homes[result.document["document_id"]] == home]
                ids = [one.document["document_id"] for one in mine]
                write_part(job.output, home, ids, _tables(mine), job.schemas)
        job.ledger.finish([_finished(result) for result in results], homes, job.work)
    except JobStopped as error:
        job.stop(error)
        return False
    return True


def _tables(results: Sequence[Result]) -> dict[str, Sequence[Row] | pa.Table]:
    chunks = [row for result in results for row in result.chunks]
    return {
        **({"chunks": chunks_table(chunks)} if chunks else {}),
        "documents": [result.document for result in results],
        "calls": [row for result in results for row in result.calls],
        "failures": [row for result in results for row in result.failures],
        "sections": [row for result in results for row in result.sections],
    }


def _finished(result: Result) -> Finished:
    """Tokens and cost are what was paid for: a reused answer adds none."""
    row, paid = result.document, [call for call in result.calls if not call["reused"]]
    reused = len(result.calls) - len(paid)
    return Finished(
        row["document_id"],
        row["content_sha256"],
        row["status"],
        sum([call.get("counts", True) for call in paid]) + reused,
        reused,
        sum([call["prompt_tokens"] for call in paid]),
        sum([call["completion_tokens"] for call in paid]),
        row["cost_usd"],
        result.work,
    )
