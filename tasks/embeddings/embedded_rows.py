"""The rows that embedded documents lead to, made by columns: one object a row would take most of a job's time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pyarrow as pa

from tasks.base.errors import CallRejected, DocumentFailed
from tasks.calls.call_context import CallPosition
from tasks.calls.rows import UNREAD, failed_call_row, failed_document_row, unread_row
from tasks.calls.section_rows import section_rows, unread_words
from tasks.embeddings.embed_job import EmbedJob
from tasks.embeddings.embedder import EmbeddingReply, VectorSlice
from tasks.embeddings.item import EmbeddedDocument, Stretch, stretches
from tasks.jobs.writing import Rows
from tasks.ledger.records import ASSIGNED, Finished
from tasks.models.route import Route
from tasks.results.parts import as_table, column_table
from tasks.results.schemas import Row
from tasks.results.vector_columns import ChunkRow, chunks_table


class Asked(NamedTuple):
    """A document's part in a request: its first chunk there, the span of all its chunks in characters, tokens, USD.

    A request that isn't used has neither chunk nor span.
    `reused` is 1 if another job or document paid, else 0; `counts` is 1 for the document to
    which the request's call is counted.
    """

    document_id: str
    came: EmbeddingReply
    position: int | None
    start: int | None
    end: int | None
    tokens: int
    cost: float | None
    reused: int
    counts: int


class Ended(NamedTuple):
    """A document whose texts have come, or failed."""

    item: EmbeddedDocument
    chunks: int
    asked: Sequence[Asked]
    status: str
    route: Route
    covered: int
    error_kind: str | None
    error: str | None


def embedded_rows(
    job: EmbedJob, items: Iterable[EmbeddedDocument], leaves: Mapping[str, Sequence[VectorSlice]]
) -> Rows:
    """Return all rows of documents whose texts' leaves are there."""
    ended: list[Ended] = []
    chunks: list[ChunkRow] = []
    failures: list[Row] = []
    for item in items:
        found = stretches(item, leaves)
        before = len(chunks)
        asked = _put(item, found, chunks)
        unused = _unused(job, item)
        if asked and len(chunks) - before == len(found):
            ended.append(_whole(item, len(found), [*asked, *unused]))
        else:
            ended.append(_lacking(item, found, [*asked, *unused], job.first_route))
            failures += _failure_rows(ended[-1], found, job.first_route)
        if item.content.unread:
            failures.append(unread_row(item.document.document_id, item.content.unread, job.first_route))
    sections = [row for one in ended for row in section_rows(one.item.document.document_id, one.item.content)]
    tables = {
        "documents": _documents(job, ended),
        "calls": _calls(job, [asked for one in ended for asked in one.asked]),
        "failures": as_table(failures, job.schemas["failures"]),
        "sections": as_table(sections, job.schemas["sections"]),
        **({"chunks": chunks_table(chunks)} if chunks else {}),
    }
    return Rows(tables, [_finished(job, one) for one in ended])


def begun_rows(job: EmbedJob, items: Iterable[EmbeddedDocument], leaves: Mapping[str, Sequence[VectorSlice]]) -> Rows:
    """Return what was paid for documents whose texts have not all come: the job was stopped."""
    begun: list[Ended] = []
    for item in items:
        found = stretches(item, leaves)
        asked = [*_put(item, found, []), *_unused(job, item)]
        if asked:
            begun.append(Ended(item, len(found), asked, ASSIGNED, job.first_route, 0, None, None))
    calls = _calls(job, [asked for one in begun for asked in one.asked])
    return Rows({"calls": calls}, [_finished(job, one)._replace(content_sha256=None) for one in begun])


def _unused(job: EmbedJob, item: EmbeddedDocument) -> list[Asked]:
    """Return a document's part in requests that were paid for and aren't used."""
    document_id = item.document.document_id
    every = [came for embedder in job.answerers for came in embedder.unused.pop(document_id, ())]
    shares = [(came, came.shares[document_id]) for came in every]
    return [
        Asked(document_id, came, None, None, None, share.tokens, share.cost, 0, share.first) for came, share in shares
    ]


def _put(item: EmbeddedDocument, found: Iterable[Stretch], chunks: list[ChunkRow]) -> list[Asked]:
    """Add the chunks of a document that have vectors; return its part in each request that those came with."""
    document_id, text = item.document.document_id, item.content.text
    asked: dict[str, Asked] = {}
    for position, (start, end, leaf) in enumerate(found):
        came = leaf.came
        if came is None:
            continue
        route, call_id = came.route, came.call_id
        chunks.append(
            ChunkRow(
                document_id, position, start, end, text[start:end], leaf.tokens, came.vectors, leaf.row, route.model,
                route.provider, call_id,
            )
        )  # fmt: skip
        share, first = came.shares.get(document_id), asked.get(call_id)
        if first is not None:
            asked[call_id] = first._replace(end=end, tokens=first.tokens + (0 if share else leaf.tokens))
        elif share is not None:
            asked[call_id] = Asked(document_id, came, position, start, end, share.tokens, share.cost, 0, share.first)
        else:
            asked[call_id] = Asked(document_id, came, position, start, end, leaf.tokens, 0.0, 1, 1)
    return list(asked.values())


def _whole(item: EmbeddedDocument, chunks: int, asked: Sequence[Asked]) -> Ended:
    """Return the end of a document whose text is embedded completely, though parts of it may be unread."""
    route, characters, unread = asked[0].came.route, len(item.content.text), item.content.unread
    if unread:
        return Ended(item, chunks, asked, "partial", route, characters, UNREAD, unread_words(unread))
    return Ended(item, chunks, asked, "done", route, characters, None, None)


def _lacking(item: EmbeddedDocument, found: Sequence[Stretch], asked: Sequence[Asked], route: Route) -> Ended:
    """Return the end of a document that lacks vectors, or has none."""
    bad = [one for one in found if one.leaf.error is not None]
    good = [one for one in found if one.leaf.came is not None]
    if not good:
        error = (bad[0].leaf.error if bad else None) or CallRejected("empty", "the document holds no text")
        return Ended(item, len(found), asked, "failed", route, 0, error.reason, str(error))
    whole, route = len(item.content.text), asked[0].came.route
    missing = missing_characters([one[:2] for one in bad], [one[:2] for one in good])
    if not missing:
        return _whole(item, len(found), asked)
    first = bad[0].leaf.error
    words = f"{missing} of {whole} characters are missing: {first}"
    return Ended(item, len(found), asked, "partial", route, whole - missing, first.reason if first else "", words)


def _documents(job: EmbedJob, ended: Sequence[Ended]) -> pa.Table:
    documents = [one.item.document for one in ended]
    joined = job.prepared.carried.joined
    carried = [job.prepared.carried.values(document) for document in documents] if joined else []
    columns = {
        "document_id": [document.document_id for document in documents],
        "source": [document.source for document in documents],
        "content_sha256": [one.item.sha256 for one in ended],
        "job_id": job.ledger.job_id,
        "status": [one.status for one in ended],
        "model": [one.route.model for one in ended],
        "provider": [one.route.provider for one in ended],
        "chunks": [one.chunks for one in ended],
        "calls": [len(one.asked) for one in ended],
        "characters": [len(one.item.content.text) for one in ended],
        "covered_characters": [one.covered for one in ended],
        "prompt_tokens": [sum([asked.tokens for asked in one.asked]) for one in ended],
        "completion_tokens": 0,
        "cost_usd": [_cost(one.asked) for one in ended],
        "error_kind": [one.error_kind for one in ended],
        "error": [one.error for one in ended],
        "finished_at": datetime.now(UTC),
        **{field.name: [values[field.name] for values in carried] for field in joined},
    }
    return column_table(columns, len(ended), job.schemas["documents"])


def _calls(job: EmbedJob, asked: Sequence[Asked]) -> pa.Table:
    came = [one.came for one in asked]
    columns = {
        "call_id": [one.call_id for one in came],
        "document_id": [one.document_id for one in asked],
        "kind": "embedding",
        "stage": "map",
        "level": 0,
        "position": [one.position for one in asked],
        "start_char": [one.start for one in asked],
        "end_char": [one.end for one in asked],
        "model": [one.route.model for one in came],
        "provider": [one.route.provider for one in came],
        "served_by": [one.route.upstream for one in came],
        "prompt_tokens": [one.tokens for one in asked],
        "completion_tokens": 0,
        "cost_usd": [one.cost for one in asked],
        "latency_ms": [one.latency_ms for one in came],
        "attempts": [one.attempts for one in came],
        "reused": [bool(one.reused) for one in asked],
        "error_kind": [one.error_kind for one in came],
        "created_at": [one.created_at for one in came],
    }
    return column_table(columns, len(asked), job.schemas["calls"])


def _finished(job: EmbedJob, ended: Ended) -> Finished:
    """Tokens and cost are what was paid for: a reused answer adds none."""
    document, asked = ended.item.document, ended.asked
    return Finished(
        document.document_id,
        ended.item.sha256,
        ended.status,
        sum([one.counts for one in asked]),
        sum([one.reused for one in asked]),
        sum([one.tokens for one in asked if not one.reused]),
        0,
        _cost(asked),
        job.fingerprint_of(document) if document.columns else None,
    )


def _cost(asked: Sequence[Asked]) -> float | None:
    """Return what a document's part of all requests cost, if that is known."""
    if len(asked) == 1:
        return asked[0].cost
    costs = [one.cost for one in asked if one.cost is not None]
    return sum(costs) if len(costs) == len(asked) else None


def _failure_rows(ended: Ended, found: Iterable[Stretch], route: Route) -> list[Row]:
    """A row for each chunk that failed; a document without any has one of its own."""
    document_id = ended.item.document.document_id
    bad = [(position, leaf) for position, (_, _, leaf) in enumerate(found)]
    rows: list[Row] = [
        failed_call_row(document_id, CallPosition("map", 0, place), route, leaf.call_id, leaf.error)
        for place, leaf in bad
        if leaf.error
    ]
    if not rows and ended.status == "failed":
        error = DocumentFailed(ended.error_kind or "", ended.error or "", stage="map")
        return [failed_document_row(document_id, error, route.model, route.provider)]
    return rows


def missing_characters(bad: Iterable[tuple[int, int]], good: Iterable[tuple[int, int]]) -> int:
    """Return how many characters lie in a bad span and in no good one; spans may overlap."""
    missing, reached = 0, 0
    covered = sorted(good)
    for start, end in sorted(bad):
        place = max(start, reached)
        reached = max(reached, end)
        for first, last in covered:
            if place >= end:
                break
            missing += max(0, min(first, end) - place)
            place = max(place, last)
        missing += max(0, end - place)
    return missing
