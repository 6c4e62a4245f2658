"""The rows that an embedded document leads to."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tasks.documents.document import Content, Document
from tasks.errors import DocumentFailed, SetAside
from tasks.jobs.cut import Cut
from tasks.jobs.embed.cutting import STRATEGY
from tasks.jobs.embed.embedder import Came, Leaf
from tasks.jobs.rows import Outcome, Reading, Result, Work, document_rows
from tasks.results.schemas import Row
from tasks.results.vectors import ChunkRow
from tasks.routing.route import Route


class Stretch(NamedTuple):
    """A stretch of a document's text, in characters, its tokens, and its vector: where it came, or why it failed."""

    start: int
    end: int
    leaf: Leaf


def embedded_rows(
    job_id: str, document: Document, content: Content, sha256: str, stretches: Sequence[Stretch], route: Route
) -> Result:
    """Return all rows of a document whose texts have come, or failed."""
    work = Work(document.document_id)
    good = [stretch for stretch in stretches if stretch.leaf.came is not None]
    bad = [(position, stretch) for position, stretch in enumerate(stretches) if stretch.leaf.error is not None]
    work.calls += _call_rows(document.document_id, good, {})
    work.failures += [_failure_row(document.document_id, position, stretch, route) for position, stretch in bad]
    missing = _characters(bad_only([stretch for _, stretch in bad], good))
    text = content.text
    end: Outcome | DocumentFailed = Outcome("", len(text) - missing, cut=False)
    if not good:
        first = bad[0][1].leaf.error if bad else SetAside("empty", "the document holds no text")
        end = DocumentFailed(first.reason if first else "empty", str(first), stage="map")
    served = good[0].leaf.came.route if good and good[0].leaf.came else route
    cut = Cut(text, (), STRATEGY)
    result = document_rows(job_id, document, work, Reading(content, sha256), end, served, cut)
    row = {**result.document, "output": None, "chunks": len(stretches)}
    return result._replace(document=row, chunks=list(_chunk_rows(document.document_id, text, good)))


def _chunk_rows(document_id: str, text: str, good: Sequence[Stretch]) -> Iterator[ChunkRow]:
    for position, (start, end, leaf) in enumerate(good):
        came = _came(leaf)
        yield ChunkRow(
            document_id,
            position,
            start,
            end,
            text[start:end],
            leaf.tokens,
            came.vectors[leaf.place],
            came.route.model,
            came.route.provider,
            came.call_id,
        )


def _call_rows(
    document_id: str, good: Sequence[Stretch], by_call: dict[str, list[tuple[int, Stretch]]]
) -> list[dict[str, Any]]:
    """A row for each request with vectors of the document, with the document's share of it."""
    for position, stretch in enumerate(good):
        by_call.setdefault(_came(stretch.leaf).call_id, []).append((position, stretch))
    return [_call_row(document_id, stretches) for stretches in by_call.values()]


def _call_row(document_id: str, stretches: Sequence[tuple[int, Stretch]]) -> dict[str, Any]:
    came = _came(stretches[0][1].leaf)
    share = came.shares.get(document_id)
    return {
        "call_id": came.call_id,
        "document_id": document_id,
        "kind": "embedding",
        "stage": "map",
        "level": 0,
        "position": stretches[0][0],
        "start_char": stretches[0][1].start,
        "end_char": stretches[-1][1].end,
        "model": came.route.model,
        "provider": came.route.provider,
        "served_by": came.route.upstream,
        "prompt_tokens": share.tokens if share else sum(stretch.leaf.tokens for _, stretch in stretches),
        "completion_tokens": 0,
        "cost_usd": share.cost if share else 0.0,
        "latency_ms": came.latency_ms,
        "attempts": came.attempts,
        "finish_reason": None,
        "output": None,
        "reused": share is None,
        "created_at": came.created_at,
        # One request of many documents is one call, of the first of them.
        "counts": share is None or share.first,
    }


def _failure_row(document_id: str, position: int, stretch: Stretch, route: Route) -> Row:
    error = stretch.leaf.error
    return {
        "document_id": document_id,
        "call_id": stretch.leaf.call_id,
        "stage": "map",
        "position": position,
        "model": route.model,
        "provider": route.provider,
        "error_kind": error.reason if error else "",
        "error": str(error),
        "http_status": error.status if error else None,
        "attempts": error.attempts if error else 1,
        "failed_at": datetime.now(UTC),
    }


def bad_only(bad: Iterable[Stretch], good: Iterable[Stretch]) -> list[tuple[int, int]]:
    """Return the spans of bad stretches that no good one, nor a bad one before, holds too."""
    covered = sorted((stretch.start, stretch.end) for stretch in good)
    left: list[tuple[int, int]] = []
    done = 0
    for stretch in sorted(bad, key=lambda one: one.start):
        start, end = max(stretch.start, done), stretch.end
        for first, last in covered:
            if first <= start < last:
                start = last
            elif start < first < end:
                left.append((start, min(first, end)))
                start = last
        if start < end:
            left.append((start, end))
        done = max(done, stretch.end)
    return left


def _characters(spans: Iterable[tuple[int, int]]) -> int:
    return sum(end - start for start, end in spans)


def _came(leaf: Leaf) -> Came:
    if leaf.came is None:
        raise TypeError("a text that failed has no vector")
    return leaf.came
