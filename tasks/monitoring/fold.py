"""Fold the calls of this machine's jobs into the history: each outcome once, however often this runs."""

import contextlib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from tasks.base.errors import DocmillError
from tasks.models.catalogue import load_catalogue
from tasks.monitoring.event_history import History, connected
from tasks.monitoring.health_records import HISTORY
from tasks.planning.job_register import registered
from tasks.results.files import replace_file
from tasks.results.footers import each
from tasks.results.job_file import read_job_file
from tasks.results.location import Folder
from tasks.results.parts import Damaged, conformed, read_part
from tasks.results.schemas import TABLES

FOLDED = "folded"
_COLUMNS = {
    "calls": [
        "call_id", "document_id", "kind", "start_char", "end_char", "model", "provider", "served_by", "prompt_tokens",
        "completion_tokens", "cost_usd", "latency_ms", "reused", "error_kind", "created_at",
    ],
    "failures": ["call_id", "document_id", "model", "provider", "error_kind", "http_status", "failed_at"],
    "documents": ["document_id", "job_id"],
}  # fmt: skip
# What is in the history already stays out: an answer and a failure of one call are two outcomes.
_OUTCOMES = """
with outcomes as (
  select created_at as moment, provider, served_by, model, kind = 'embedding' as embeds,
         end_char - start_char as characters,
         prompt_tokens, completion_tokens, true as ok, null::varchar as error_kind, null::bigint as http_status,
         latency_ms::double as latency_ms, cost_usd, call_id, document_id
  from calls where not reused and error_kind is null
  union all by name
  select failed_at as moment, provider, model, $embeds as embeds, false as ok, error_kind, http_status,
         call_id, document_id
  from failures where call_id is not null
), placed as (
  select outcomes.* exclude (document_id), coalesce(jobs.job_id, $job_id) as job_id
  from outcomes left join (select document_id, any_value(job_id) as job_id from documents group by 1) as jobs
  using (document_id)
)
select moment as "at", 'call' as source,
       case when provider in ({aggregators}) and served_by is not null then provider || '@' || lower(served_by)
       else provider end as provider,
       model, case when embeds then 'embedding' when model in ({code}) then 'code' else 'chat' end as kind,
       characters as prompt_characters, prompt_tokens, completion_tokens, ok, error_kind, http_status,
       null::double as first_token_ms, latency_ms,
       case when not embeds and latency_ms > 0 then completion_tokens * 1000 / latency_ms end as tokens_per_second,
       cost_usd, null::double as price_in, null::double as price_out, null::bigint as context, job_id, call_id
from placed anti join (select distinct job_id, call_id, ok from events where source = 'call') as known
using (job_id, call_id, ok)
qualify row_number() over (partition by job_id, call_id, ok order by moment) = 1
"""


def fold(history: History) -> tuple[int, list[str]]:
    """Fold in what is new of all registered result sets; return how many outcomes, and what couldn't be read.

    Hold the history. Raises StorageFailed where it can't be written.
    """
    troubles: list[str] = []
    count = 0
    for folder in registered(history.folder):
        try:
            count += _fold(history, folder)
        except (DocmillError, OSError, duckdb.Error, pa.ArrowException) as error:
            troubles.append(f"{folder.location}: {str(error).splitlines()[0]}")
    return count, troubles


def _fold(history: History, folder: Folder) -> int:
    """Fold in the parts of a result set that have changed since the last time."""
    marks = history.folder / FOLDED / f"{hashlib.sha256(folder.location.encode()).hexdigest()[:16]}.json"
    sizes = {name: size for table in _COLUMNS for name, size in folder.parts(table).items()}
    before = _read(marks)
    changed = {_number(name) for name, size in sizes.items() if before.get(name) != size}
    if not changed:
        return 0
    rows = _new_rows(history, folder, [name for name in sizes if _number(name) in changed])
    history.append_table(rows)
    marks.parent.mkdir(exist_ok=True)
    replace_file(marks, lambda path: _written(path, json.dumps(sizes)))
    return int(rows.num_rows)


def _number(name: str) -> str:
    """Return the number of a part: the rows of one document have the same in all tables."""
    return name.rpartition("/")[2]


def _new_rows(history: History, folder: Folder, names: Sequence[str]) -> pa.Table:
    job = read_job_file(folder)
    catalogue = load_catalogue()
    code = [model.name.replace("'", "''") for model in catalogue.models if model.subtype == "Code"]
    aggregators = ", ".join(f"'{one.name}'" for one in catalogue.aggregators)
    query = _OUTCOMES.format(aggregators=aggregators, code=", ".join(f"'{name}'" for name in (*code, "")))
    with connected(history.parts()) as base:
        for table in _COLUMNS:
            base.register(table, _table(folder, table, [name for name in names if name.startswith(f"{table}/")]))
        values = {"job_id": str(job.get("job_id", "")), "embeds": job.get("flow") == "embed"}
        return conformed(base.sql(query, params=values).to_arrow_table(), HISTORY)


def _table(folder: Folder, table: str, names: Sequence[str]) -> pa.Table:
    """Return the rows of parts, of the columns that matter."""
    schema = pa.schema([TABLES[table].field(name) for name in _COLUMNS[table]])
    found = [part for part in each(lambda name: _part(folder, name, schema), names) if part is not None]
    return pa.concat_tables([schema.empty_table(), *found])


def _part(folder: Folder, name: str, schema: pa.Schema) -> pa.Table | None:
    with contextlib.suppress(Damaged):  # it tells nothing
        return conformed(read_part(folder, name, schema.names), schema)
    return None


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _written(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
