"""The facts on a job's page, from its result set alone: job.json, and sums over the tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from tasks.pages.html_tables import Tables, reading
from tasks.pages.job_rows import (
    DocumentRow,
    DoneRow,
    FailureKind,
    JobTotals,
    LoadRow,
    RouteRow,
    SizeRow,
    TimeRow,
)
from tasks.results.job_file import read_job_file
from tasks.results.location import Folder

BUCKETS = 60
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
# Upper bounds of a prompt's tokens.
SIZES = (500, 1000, 2000, 4000, 8000, 16000, 32000)
LARGEST, FAILED = 12, 60


@dataclass(frozen=True, slots=True)
class JobFacts:
    """A job and its result set; the series hold what came since the job began, in steps of `step` seconds."""

    record: Mapping[str, Any]
    sums: JobTotals
    routes: Sequence[RouteRow]
    loads: Sequence[LoadRow]
    step: int
    times: Sequence[TimeRow]
    ends: Sequence[DoneRow]
    sizes: Sequence[SizeRow]
    kinds: Sequence[FailureKind]
    failed: Sequence[DocumentRow]
    largest: Sequence[DocumentRow]


def job_facts(folder: Folder) -> JobFacts:
    """Read a result set. Raises StorageFailed, or duckdb.Error where a table can't be read."""
    record = read_job_file(folder)
    with reading(folder) as tables:
        since = _since(record)
        step = _step(tables, since)
        return JobFacts(
            record,
            _sums(tables),
            _routes(tables),
            _loads(tables),
            step,
            _times(tables, since, step),
            _ends(tables, since, step),
            _sizes(tables),
            _kinds(tables),
            _documents(tables, "status <> 'done'", "status, document_id", FAILED),
            _documents(tables, "prompt_tokens > 0", "prompt_tokens desc, document_id", LARGEST),
        )


def _since(record: Mapping[str, Any]) -> int:
    """Return when the job began, in ms since 1970; 0 if that isn't known."""
    try:
        return int(datetime.fromisoformat(record["started_at"]).astimezone(UTC).timestamp() * 1000)
    except (KeyError, TypeError, ValueError):
        return 0


def _sums(tables: Tables) -> JobTotals:
    documents = tables.row(
        """select count(*), count(*) filter (status = 'done'),
        count(*) filter (status = 'partial'), count(*) filter (status = 'failed'),
        count(distinct job_id) from documents"""
    )
    asked = tables.row(
        """select coalesce(sum(prompt_tokens), 0)::bigint, coalesce(sum(completion_tokens), 0)::bigint,
        coalesce(sum(cost_usd), 0.0), count(*) filter (cost_usd is null) from asked"""
    )
    calls = tables.row("select count(*), count(*) filter (reused) from calls")
    return JobTotals(*documents, *calls, *asked, *tables.row("select count(*) from failures"))


def _routes(tables: Tables) -> list[RouteRow]:
    rows = tables.rows(
        """with wrong as (select provider, model, count(*) as failures from failures
            where model is not null and stage <> 'read'
            group by all),
        right_ as (select provider, model, count(*) as calls, sum(attempts - 1)::bigint as retries,
            count(*) filter (finish_reason = 'length') as cut, sum(prompt_tokens)::bigint as prompt,
            sum(completion_tokens)::bigint as completion, sum(cost_usd) as cost,
            quantile_cont(latency_ms, [0.5, 0.9, 0.99]) as latency,
            sum(completion_tokens) * 1000.0 / nullif(sum(latency_ms), 0) as speed from asked group by all)
        select provider, model, coalesce(calls, 0), coalesce(failures, 0), coalesce(retries, 0), coalesce(cut, 0),
            coalesce(prompt, 0), coalesce(completion, 0), cost, latency[1], latency[2], latency[3], speed
        from right_ full join wrong using (provider, model) order by 3 desc, 1, 2"""
    )
    return [RouteRow(*row) for row in rows]


def _loads(tables: Tables) -> list[LoadRow]:
    """A minute is any sixty seconds, by when the calls were sent (without the times they were sent in vain)."""
    rows = tables.rows(
        """with seconds as (select provider, (arrived - latency_ms) // 1000 as second, count(*) as calls,
            sum(prompt_tokens + completion_tokens) as tokens from asked where latency_ms is not null group by all),
        minutes as (select provider, sum(calls) over minute as calls, sum(tokens) over minute as tokens from seconds
            window minute as (partition by provider order by second range between 59 preceding and current row))
        select provider, max(calls)::bigint, max(tokens)::bigint from minutes group by provider order by provider"""
    )
    return [LoadRow(provider, calls, tokens, _at_once(tables, provider)) for provider, calls, tokens in rows]


def _at_once(tables: Tables, provider: str) -> int:
    """Return the most calls that were under way at the same instant."""
    sent, arrived = tables.columns(
        """select arrived - latency_ms as sent, arrived from asked
        where provider is not distinct from $1 and latency_ms is not null""",
        provider,
    )
    sent.sort()
    arrived.sort()
    ended = np.searchsorted(arrived, sent, side="right")
    return int((np.arange(1, len(sent) + 1) - ended).max(initial=0))


def _step(tables: Tables, since: int) -> int:
    """The seconds of a step, so that there are at most BUCKETS of them."""
    (span,) = tables.row(
        """select max(arrived) - min(arrived) from (select arrived from asked where arrived >= $1
        union all select epoch_ms(finished_at) from documents where epoch_ms(finished_at) >= $1)""",
        since,
    )
    wanted = (span or 0) / 1000 / BUCKETS
    return next((step for step in STEPS if step >= wanted), 86400 * (1 + int(wanted // 86400)))


def _times(tables: Tables, since: int, step: int) -> list[TimeRow]:
    rows = tables.rows(
        """select arrived // $2 * $2 as moment, count(*), sum(prompt_tokens)::bigint, sum(completion_tokens)::bigint,
        coalesce(sum(cost_usd), 0.0) from asked where arrived >= $1 group by moment order by moment""",
        since,
        step * 1000,
    )
    return [TimeRow(*row) for row in rows]


def _ends(tables: Tables, since: int, step: int) -> list[DoneRow]:
    rows = tables.rows(
        """select epoch_ms(finished_at) // $2 * $2 as moment, status, count(*) from documents
        where epoch_ms(finished_at) >= $1 group by all order by all""",
        since,
        step * 1000,
    )
    return [DoneRow(*row) for row in rows]


def _sizes(tables: Tables) -> list[SizeRow]:
    bounds = " ".join(f"when prompt_tokens <= {size} then {size}" for size in SIZES)
    rows = tables.rows(
        f"""with sized as (select case {bounds} end as most, latency_ms from asked where latency_ms is not null)
        select most, count(*), quantile_cont(latency_ms, [0.5, 0.9, 0.99]) from sized
        group by most order by most nulls last"""
    )
    return [SizeRow(most, calls, *quantiles) for most, calls, quantiles in rows]


def _kinds(tables: Tables) -> list[FailureKind]:
    rows = tables.rows(
        """select coalesce(error_kind, ''), count(*) as failures, count(distinct document_id), max(http_status),
        max_by(error, failed_at) from failures group by 1 order by failures desc, 1"""
    )
    return [FailureKind(*row) for row in rows]


def _documents(tables: Tables, which: str, order: str, most: int) -> list[DocumentRow]:
    columns = ", ".join(DocumentRow._fields)
    sql = f"select {columns} from documents where {which} order by {order} limit {most}"
    return [DocumentRow(*row) for row in tables.rows(sql)]
