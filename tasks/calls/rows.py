"""The rows of a document in the result tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tasks.base.errors import CallFailed, DocumentFailed
from tasks.calls.call_context import CallContext, CallPosition, DocumentProgress
from tasks.calls.cutting import Cut
from tasks.calls.section_rows import section_rows, unread_words
from tasks.documents.document import Content, Document, Unread
from tasks.models.route import Route
from tasks.providers.call import Call
from tasks.providers.protocol import Answer
from tasks.results.schemas import Row

INVALID = "invalid_answer"
UNREAD = "unread_part"
NOT_ASKED = "not_asked"


class Got(NamedTuple):
    """An answer and how it came: `reused` where this job didn't pay it; `error_kind` says why it is of no use."""

    answer: Answer
    attempts: int
    latency_ms: int
    created_at: datetime
    reused: bool = False
    error_kind: str | None = None


class Outcome(NamedTuple):
    """The answer over a text, how many of its characters are in it, and whether it ends cut off.

    `labels` are the probabilities of the labels in it, where they are known.
    """

    output: str
    covered: int
    cut: bool
    labels: Mapping[str, float] | None = None


class Result(NamedTuple):
    """The rows of one finished document; `fingerprint` is the identity of its own, where that isn't the job's."""

    document: Row
    calls: Sequence[Mapping[str, Any]]
    failures: Sequence[Row]
    sections: Sequence[Row]
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class DocumentReading:
    """What is in a document, the SHA-256 of its text, its own fields of the prompt, and its cuts by route."""

    content: Content
    sha256: str
    fields: Mapping[str, str] = field(default_factory=dict)
    cuts: dict[Route, Cut] = field(default_factory=dict)


def call_row(context: CallContext, route: Route, call: Call, got: Got, cost: float | None) -> dict[str, Any]:
    """Return the row of an exchange that was paid or reused; `cost` is what this job paid for it in USD."""
    position = context.position
    answer = got.answer
    return {
        "call_id": call.call_id,
        "document_id": context.document_id,
        "kind": "completion",
        "stage": position.stage,
        "level": position.level,
        "position": position.position,
        "start_char": position.start,
        "end_char": position.end,
        "model": route.model,
        "provider": route.provider,
        "served_by": answer.served_by,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "cost_usd": cost,
        "latency_ms": got.latency_ms,
        "attempts": got.attempts,
        "finish_reason": answer.finish_reason,
        "output": answer.text or None,
        "reused": got.reused,
        "error_kind": got.error_kind,
        "created_at": got.created_at,
    }


def failed_call_row(
    document_id: str, position: CallPosition, route: Route, call_id: str | None, error: CallFailed
) -> Row:
    """Return the row of a call that was given up, or answered with what is of no use."""
    return {
        "document_id": document_id,
        "call_id": call_id,
        "stage": position.stage,
        "position": position.position,
        "model": route.model,
        "provider": route.provider,
        "error_kind": error.reason,
        "error": str(error),
        "http_status": error.status,
        "attempts": error.attempts,
        "failed_at": datetime.now(UTC),
    }


def document_rows(
    job_id: str,
    document: Document,
    progress: DocumentProgress,
    reading: DocumentReading | None,
    end: Outcome | DocumentFailed,
    route: Route,
    cut: Cut | None = None,
) -> Result:
    """Return all rows of a document that was answered or has failed."""
    characters = len(reading.content.text) if reading else 0
    covered = 0 if isinstance(end, DocumentFailed) else end.covered
    unread = reading.content.unread if reading else ()
    kind, words = _trouble(end, characters, progress, unread)
    # An answer that was cut off says so in `error`; nothing of the text is missing from it.
    lacks_text = covered < characters or bool(unread)
    status = "failed" if isinstance(end, DocumentFailed) else "partial" if lacks_text else "done"
    costs = [call["cost_usd"] for call in progress.calls]
    row = {
        "document_id": document.document_id,
        "source": document.source,
        "content_sha256": reading.sha256 if reading else None,
        "job_id": job_id,
        "status": status,
        "output": _output(end, progress),
        "model": route.model,
        "provider": route.provider,
        "chunks": len(cut.chunks) if cut else 0,
        "calls": len(progress.calls),
        "characters": characters,
        "covered_characters": covered,
        "prompt_tokens": sum(call["prompt_tokens"] for call in progress.calls),
        "completion_tokens": sum(call["completion_tokens"] for call in progress.calls),
        "cost_usd": None if None in costs else sum(costs),
        "confidence": None if isinstance(end, DocumentFailed) or not end.labels else min(end.labels.values()),
        "error_kind": kind,
        "error": words,
        "finished_at": datetime.now(UTC),
    }
    failures = list(progress.failures)
    # A document that failed by its calls has their rows already.
    if isinstance(end, DocumentFailed) and end.reason not in {row["error_kind"] for row in failures}:
        failures.append(failed_document_row(document.document_id, end, route.model, route.provider))
    if unread:
        failures.append(unread_row(document.document_id, unread, route))
    sections = section_rows(document.document_id, reading.content) if reading else []
    return Result(row, progress.calls, failures, sections)


def _output(end: Outcome | DocumentFailed, progress: DocumentProgress) -> str | None:
    """Return a document's answer; of one that failed by an answer that isn't valid, that one as it came."""
    if isinstance(end, DocumentFailed):
        return progress.raw if end.reason == INVALID else None
    return end.output


def _trouble(
    end: Outcome | DocumentFailed, characters: int, progress: DocumentProgress, unread: tuple[Unread, ...]
) -> tuple[str | None, str | None]:
    """Say what is wrong with a document's answer: failed, a part missing or not read, or cut off; or nothing."""
    if isinstance(end, DocumentFailed):
        return end.reason, str(end)
    if end.covered < characters:
        missing = f"{characters - end.covered} of {characters} characters are missing"
        if not progress.failures:
            return NOT_ASKED, f"{missing}: the strategy leaves them out"
        first = progress.failures[0]
        return str(first["error_kind"]), f"{missing}: {first['error']}"
    if unread:
        return UNREAD, unread_words(unread)
    if end.cut:
        return "answer_cut", "the answer was cut off, and so were its continuations: give a larger --max-output-tokens"
    return None, None


def unread_row(document_id: str, unread: tuple[Unread, ...], route: Route) -> Row:
    """Return the row of a document of which parts couldn't be read."""
    error = DocumentFailed(UNREAD, unread_words(unread))
    return failed_document_row(document_id, error, route.model, route.provider)


def failed_document_row(document_id: str, error: DocumentFailed, model: str, provider: str) -> Row:
    """Return the row of what failed of a document before or beside its calls."""
    return {
        "document_id": document_id,
        "call_id": None,
        "stage": error.stage,
        "position": None,
        "model": model,
        "provider": provider,
        "error_kind": error.reason,
        "error": str(error),
        "http_status": None,
        "attempts": 1,
        "failed_at": datetime.now(UTC),
    }
