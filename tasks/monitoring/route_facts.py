"""The facts about this machine's jobs that advice is based on, from their result sets and the catalogue."""

import contextlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb

from tasks.base.errors import UserMistake
from tasks.models.catalogue import Catalogue
from tasks.models.price import Price
from tasks.monitoring.advice import MonitoredJob, Other
from tasks.planning.job_register import registered
from tasks.results.job_file import read_job_file
from tasks.results.location import Folder

# Only the latest jobs are considered.
MOST_JOBS = 50
_CALLS = """
with paid as (
  select *, make_timestamp(epoch_us(created_at)) as answered from read_parquet($calls)
  where not reused and kind = 'completion'
), minutes as (
  select provider, model, max(times) as busiest from
  (select provider, model, count(*) as times from paid group by provider, model, date_trunc('minute', answered))
  group by provider, model
)
select provider, model, count(distinct document_id), count(*), count(*) filter (where level = 0),
       coalesce(sum(prompt_tokens), 0)::bigint, coalesce(sum(completion_tokens), 0)::bigint,
       case when count(*) = count(cost_usd) then sum(cost_usd) end,
       count(*) filter (where finish_reason in ('length', 'max_tokens', 'model_length')),
       coalesce(sum(attempts - 1), 0)::bigint, any_value(busiest),
       coalesce(sum(latency_ms), 0) / 1000,
       epoch(max(answered) - min(answered - to_milliseconds(latency_ms)))
from paid join minutes using (provider, model) group by provider, model order by provider, model
"""


def facts(history: Path, catalogue: Catalogue, available: Collection[str]) -> list[MonitoredJob]:
    """Return the facts of the latest jobs on this machine's own disks, by route; unreadable result sets are skipped."""
    found: list[MonitoredJob] = []
    folders = [
        folder for folder in registered(history) if folder.path is not None and (folder.path / "job.json").is_file()
    ]
    for folder in sorted(folders, key=_latest, reverse=True)[:MOST_JOBS]:
        with contextlib.suppress(duckdb.Error, OSError):
            found += _facts(folder, catalogue, available)
    return found


def _latest(folder: Folder) -> float:
    assert folder.path is not None
    return (folder.path / "job.json").stat().st_mtime


def _facts(folder: Folder, catalogue: Catalogue, available: Collection[str]) -> Iterator[MonitoredJob]:
    assert folder.path is not None
    spec = read_job_file(folder).get("spec") or {}
    with duckdb.connect() as base:
        rows = base.execute(_CALLS, {"calls": str(folder.path / "calls" / "*.parquet")}).fetchall()
    for row in rows:
        yield _fact(folder.location, spec, catalogue, available, row)


def _fact(
    place: str, spec: Mapping[str, Any], catalogue: Catalogue, available: Collection[str], row: tuple[Any, ...]
) -> MonitoredJob:
    name, model, documents, calls, chunks, prompt, written, cost, cut, retries, busiest, busy, seconds = row
    with contextlib.suppress(UserMistake):
        provider = catalogue.provider(name)
        declared = provider.requests_per_minute
        return MonitoredJob(
            place, name, model, documents, calls, chunks, prompt, written, cost, cut, retries, busiest,
            in_flight=float(busy) / max(float(seconds), 0.001),
            seconds=float(seconds),
            max_output_tokens=int(spec.get("max_output_tokens") or 0),
            concurrency=int(spec.get("concurrency") or provider.concurrency),
            rpm=spec.get("rpm") or declared,
            context=_context(catalogue, name, model),
            set_context=spec.get("context"),
            others=tuple(_others(catalogue, available, name, model, prompt, written)),
        )  # fmt: skip
    raise UserMistake(f"{place}: no provider is called {name!r} any more")


def _context(catalogue: Catalogue, provider: str, model: str) -> int | None:
    known = catalogue.find(model)
    rows = known.routes if known else ()
    return next((row.context for row in rows if row.provider == provider), None)


def _others(
    catalogue: Catalogue, available: Collection[str], provider: str, model: str, prompt: int, written: int
) -> Iterator[Other]:
    """Yield the other providers of the same model that there is an account with."""
    known = catalogue.find(model)
    for row in known.routes if known else ():
        if row.provider in available and row.provider != provider and row.available is not False and known:
            yield Other(f"{row.provider}/{known.name}", _cost(row.price, prompt, written), row.context)


def _cost(price: Price | None, prompt: int, written: int) -> float | None:
    return price.cost(prompt, written) if price else None
