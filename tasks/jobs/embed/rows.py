"""The rows that an embedded document leads to."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tasks.documents.document import Content, Document
from tasks.errors import DocumentFailed, SetAside
from tasks.jobs.cut import Cut
from tasks.jobs.embed.cutting import STRATEGY
from tasks.jobs.embed.embedder import Came, Leaf
from tasks.jobs.rows import Outcome, Reading, Result, Work, document_row, document_rows
from tasks.jobs.sections import section_rows
from tasks.results.schemas import Row
from tasks.results.vectors import ChunkRow
from tasks.routing.route import Route


class Stretch(NamedTuple):
    """A stretch of a document's text, in characters, its tokens, and its vector: where it came, or why it failed."""

    start: int
    end: int
    leaf: Leaf


# A stretch, and which one it is of its document.
Placed = tuple[int, Stretch]


def embedded_rows(
    job_id: str, document: Document, content: Content, sha256: str, stretches: Sequence[Stretch], route: Route
) -> Result:
    """Return all rows of a document whose texts have come, or failed."""
    good = [(position, one) for position, one in enumerate(stretches) if one.leaf.came is not None]
    calls, chunks = _call_rows(document.document_id, good), _chunk_rows(document.document_id, content.text, good)
    if not good or len(good) < len(stretches):
        work, reading = Work(document.document_id, calls), Reading(content, sha256)
        return _lacking(job_id, document, reading, work, stretches, route)._replace(chunks=chunks)
    row = document_row(job_id, document, sha256, "done", _came(good[0][1].leaf).route, calls, content.text)
    row["chunks"] = len(stretches)
    return Result(row, calls, (), section_rows(document.document_id, content), chunks=chunks)


def _lacking(
    job_id: str, document: Document, reading: Reading, work: Work, stretches: Sequence[Stretch], route: Route
) -> Result:
    """Return the rows of a document that lacks vectors, or has none."""
    good = [one for one in stretches if one.leaf.came is not None]
    bad = [(position, one) for position, one in enumerate(stretches) if one.leaf.error is not None]
    work.failures += [_failure_row(document.document_id, position, stretch, route) for position, stretch in bad]
    missing = missing_characters([one[:2] for _, one in bad], [one[:2] for one in good])
    text = reading.content.text
    end: Outcome | DocumentFailed = Outcome("", len(text) - missing, cut=False)
    if not good:
        error = bad[0][1].leaf.error if bad else None
        error = error or SetAside("empty", "the document holds no text")
        end = DocumentFailed(error.reason, str(error), stage="map")
    served = _came(good[0].leaf).route if good else route
    result = document_rows(job_id, document, work, reading, end, served, Cut(text, (), STRATEGY))
    return result._replace(document={**result.document, "output": None, "chunks": len(stretches)})


def _chunk_rows(document_id: str, text: str, good: Sequence[Placed]) -> list[ChunkRow]:
    rows = []
    for position, (start, end, leaf) in good:
        came = _came(leaf)
        route = came.route
        rows.append(
            ChunkRow(
                document_id, position, start, end, text[start:end], leaf.tokens, came.vectors, leaf.place, route.model,
                route.provider, came.call_id,
            )
        )  # fmt: skip
    return rows


def _call_rows(document_id: str, good: Sequence[Placed]) -> list[dict[str, Any]]:
    """A row for each request with vectors of the document, with the document's share of it."""
    by_call: dict[str, list[Placed]] = {}
    for placed in good:
        by_call.setdefault(_came(placed[1].leaf).call_id, []).append(placed)
    return [_call_row(document_id, stretches) for stretches in by_call.values()]


def _call_row(document_id: str, stretches: Sequence[Placed]) -> dict[str, Any]:
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


def _came(leaf: Leaf) -> Came:
    if leaf.came is None:
        raise TypeError("a text that failed has no vector")
    return leaf.came
