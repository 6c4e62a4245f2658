"""The tables of a comparison: a row a route, and a row a document and route."""

from collections.abc import Iterable
from dataclasses import asdict, fields

import pyarrow as pa

from tasks.comparison.comparison_records import Compared, ComparedAnswer
from tasks.results.footers import part_name
from tasks.results.location import Folder
from tasks.results.parts import as_table, write_table
from tasks.results.schemas import INT, REAL, TEXT, Row, Schemas

KINDS = pa.list_(pa.struct([("error_kind", TEXT), ("count", INT)]))
PART = 1


def _schema(*columns: tuple[str, pa.DataType, str]) -> pa.Schema:
    return pa.schema([pa.field(name, kind, metadata={"description": words}) for name, kind, words in columns])


COMPARISON = _schema(
    ("route", TEXT, "PROVIDER/MODEL"),
    ("provider", TEXT, "provider asked, and the one behind an aggregator"),
    ("model", TEXT, "model asked"),
    ("window", INT, "context window in tokens"),
    ("price_in", REAL, "USD per million tokens of prompts; null where it isn't known"),
    ("price_out", REAL, "USD per million tokens of answers; null where it isn't known"),
    ("concurrency", INT, "calls in flight at once"),
    ("requests_per_minute", REAL, "declared limit; null without one"),
    ("tokens_per_minute", REAL, "declared limit; null without one"),
    ("documents", INT, "documents of the sample"),
    ("done", INT, "documents of the sample that were answered whole"),
    ("partial", INT, "documents of the sample of which a part is missing"),
    ("failed", INT, "documents of the sample that failed"),
    ("calls", INT, "calls that were answered"),
    ("attempts", INT, "times they were sent"),
    ("prompt_tokens", INT, "sum over the calls"),
    ("completion_tokens", INT, "sum over the calls"),
    ("cost_usd", REAL, "what the sample costs in USD; null where the price isn't known"),
    ("latency_mean", REAL, "milliseconds of a call"),
    ("latency_p50", REAL, "milliseconds that half of the calls took at the most"),
    ("latency_p90", REAL, "milliseconds that nine in ten calls took at the most"),
    ("tokens_per_second", REAL, "tokens of answers a second of waiting for them"),
    ("failures", KINDS, "rows of failures by their kind"),
    ("answer_characters", REAL, "mean length of an answer"),
    ("cut", INT, "answers that end unfinished"),
    ("empty", INT, "answers without a word"),
    ("valid", INT, "documents whose answer fits the schema; null without one"),
    ("repaired", INT, "calls that asked for a better answer; null without a schema"),
    ("agreement", REAL, "mean cosine with the other routes' answers; null where it wasn't measured"),
    ("rouge_l", REAL, "mean ROUGE-L against the reference, 0 to 1; null without one"),
    ("stopped", TEXT, "why the route wasn't asked to the end; null where it was"),
    ("all_documents", INT, "documents of the whole source"),
    ("all_calls", INT, "calls that all documents would take"),
    ("all_cost_usd", REAL, "USD that all documents would cost; null where it isn't known"),
    ("all_seconds", REAL, "seconds that all documents would take; null where it isn't known"),
    ("bound_by", TEXT, "what holds all documents up: latency, requests or tokens (a minute)"),
    ("on_front", pa.bool_(), "whether no other sound route beats it in price and time at once"),
)
ANSWERS = _schema(
    ("document_id", TEXT, "document that was asked about"),
    ("route", TEXT, "PROVIDER/MODEL"),
    ("provider", TEXT, "provider that answered"),
    ("model", TEXT, "model that answered"),
    ("status", TEXT, "done, partial or failed"),
    ("output", TEXT, "the answer; null where it failed"),
    ("characters", INT, "length of the answer"),
    ("calls", INT, "calls that it took"),
    ("prompt_tokens", INT, "sum over its calls"),
    ("completion_tokens", INT, "sum over its calls"),
    ("cost_usd", REAL, "what it costs in USD; null where the price isn't known"),
    ("latency_ms", INT, "sum over its calls"),
    ("is_cut", pa.bool_(), "whether it ends unfinished"),
    ("agreement", REAL, "mean cosine with the other routes' answers; null where it wasn't measured"),
    ("rouge_l", REAL, "ROUGE-L against the reference, 0 to 1; null without one"),
    ("error_kind", TEXT, "stable word for what went wrong; null where nothing did"),
    ("error", TEXT, "what went wrong, in words"),
)
COMPARISON_TABLES: Schemas = {"comparison": COMPARISON, "answers": ANSWERS}
ALL = {"documents": "all_documents", "calls": "all_calls", "cost_usd": "all_cost_usd", "seconds": "all_seconds"}


def write_comparison(folder: Folder, routes: Iterable[Compared], answers: Iterable[ComparedAnswer]) -> None:
    """Put both tables in place of what they were, each whole or not at all. Raises StorageFailed."""
    rows = {"answers": list(map(asdict, answers)), "comparison": list(map(row_of, routes))}
    for name, some in rows.items():
        write_table(folder, part_name(name, PART), as_table(some, COMPARISON_TABLES[name]))


def row_of(one: Compared) -> Row:
    """Return the row of a route."""
    row = {field.name: getattr(part, field.name) for part in (one.terms, one.measured) for field in fields(part)}
    row["failures"] = [{"error_kind": kind, "count": count} for kind, count in one.measured.failures.items()]
    projected = {ALL.get(name, name): value for name, value in asdict(one.projected).items()}
    return {**row, **projected, "on_front": one.on_front}
