"""The result tables: explicit Arrow schemas, a description on each field."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

Row = Mapping[str, Any]
Schemas = Mapping[str, pa.Schema]

TEXT, INT, REAL = pa.string(), pa.int64(), pa.float64()
TIME = pa.timestamp("us", tz="UTC")


def _schema(*fields: tuple[str, pa.DataType, str]) -> pa.Schema:
    return pa.schema([pa.field(name, kind, metadata={"description": words}) for name, kind, words in fields])


DOCUMENTS = _schema(
    ("document_id", TEXT, "path relative to INPUT in POSIX form, or the value of the id column"),
    ("source", TEXT, "URI the document was read from"),
    ("content_sha256", TEXT, "SHA-256 of the extracted text in UTF-8; null where none could be extracted"),
    ("job_id", TEXT, "job that wrote this row"),
    ("status", TEXT, "done (all of it reached the model), partial (some of it is missing: see error) or failed"),
    ("output", TEXT, "the answer"),
    ("model", TEXT, "model that answered"),
    ("provider", TEXT, "provider that answered"),
    ("chunks", INT, "chunks the text was cut into"),
    ("calls", INT, "rows of this document in calls"),
    ("characters", INT, "characters of the extracted text"),
    ("covered_characters", INT, "characters that reached the model and are in the answer"),
    ("prompt_tokens", INT, "sum over its calls"),
    ("completion_tokens", INT, "sum over its calls"),
    ("cost_usd", REAL, "what this job paid for it in USD; null where the price isn't known"),
    ("error_kind", TEXT, "stable word for what went wrong (answer_cut: it ends unfinished); null where nothing did"),
    ("error", TEXT, "what went wrong, in words"),
    ("finished_at", TIME, "when it was finished, UTC"),
)

CALLS = _schema(
    ("call_id", TEXT, "SHA-256 of the canonical request: route, base URL, messages, parameters"),
    ("document_id", TEXT, "document the call was for"),
    ("kind", TEXT, "completion or embedding"),
    ("stage", TEXT, "map, reduce or refine"),
    ("level", INT, "0 for chunks of the text, 1 and up for answers that were reduced"),
    ("position", INT, "place among the calls of its level, from 0"),
    ("start_char", INT, "start in the extracted text; null above level 0"),
    ("end_char", INT, "end, exclusive; null above level 0"),
    ("model", TEXT, "model asked"),
    ("provider", TEXT, "provider asked"),
    ("served_by", TEXT, "provider behind an aggregator, where it says so"),
    ("prompt_tokens", INT, "as the provider counted, else by the model's tokenizer"),
    ("completion_tokens", INT, "as the provider counted, else by the model's tokenizer"),
    ("cost_usd", REAL, "what this job paid in USD: 0 for a reused answer, null where the price isn't known"),
    ("latency_ms", INT, "from sending the request to the whole answer"),
    ("attempts", INT, "times it was sent until it was answered"),
    ("finish_reason", TEXT, "as the provider says, or length where the answer reached its most tokens"),
    ("output", TEXT, "the answer of this call alone"),
    ("reused", pa.bool_(), "whether the answer had been paid for before, by another document or job"),
    ("created_at", TIME, "when the answer arrived, UTC"),
    ("error_kind", TEXT, "why the answer, which was paid for, is of no use; null where it is of use"),
)

FAILURES = _schema(
    ("document_id", TEXT, "document that failed, or lacks a part"),
    ("call_id", TEXT, "call that failed; null where the document failed before any"),
    ("stage", TEXT, "read, map, reduce or refine"),
    ("position", INT, "place of the call in its level; null where there was none"),
    ("model", TEXT, "model asked"),
    ("provider", TEXT, "provider asked"),
    ("error_kind", TEXT, "stable word for what went wrong"),
    ("error", TEXT, "what went wrong, in words"),
    ("http_status", INT, "status of the last reply, where there was one"),
    ("attempts", INT, "times it was tried"),
    ("failed_at", TIME, "when it was given up, UTC"),
)

SECTIONS = _schema(
    ("document_id", TEXT, "document with pages or headings, or of which a part couldn't be read"),
    ("position", INT, "place in the document, from 0"),
    ("page", INT, "page, slide or sheet, from 1; null where it has none"),
    ("section", TEXT, "headings from the outermost down, or a definition of code; null before the first"),
    ("start_char", INT, "start in the extracted text, as in calls"),
    ("end_char", INT, "end, exclusive"),
    ("unread", TEXT, "part of the document that couldn't be read, which would begin here, and why; null for what was"),
)


def chunks_schema(dimensions: int) -> pa.Schema:
    """Return the schema of `chunks`, with vectors of so many dimensions."""
    return _schema(
        ("document_id", TEXT, "document the chunk is of"),
        ("position", INT, "place in the document, from 0"),
        ("start_char", INT, "start in the extracted text"),
        ("end_char", INT, "end, exclusive"),
        ("text", TEXT, "the chunk's text, as it was embedded"),
        ("tokens", INT, "its tokens, by the model's tokenizer or an upper bound"),
        ("embedding", pa.list_(pa.float32(), dimensions), f"its vector, of {dimensions} dimensions"),
        ("model", TEXT, "model that embedded it"),
        ("provider", TEXT, "provider that embedded it"),
        ("call_id", TEXT, "call that its vector came with"),
    )


# Of documents that are classified.
CONFIDENCE = _schema(
    (
        "confidence",
        REAL,
        "the least probability of the labels, by the tokens that the model told; null without them",
    ),
).field(0)
TABLES = {"documents": DOCUMENTS, "calls": CALLS, "failures": FAILURES, "sections": SECTIONS}
