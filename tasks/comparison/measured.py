"""What a route made of the sample, from the rows of its result set."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.calls.rows import INVALID
from tasks.comparison.comparison_records import ComparedAnswer, Measured
from tasks.comparison.text_similarity import mean
from tasks.ledger.questions import asked_documents
from tasks.models.price import Price
from tasks.planning.prepared import Prepared
from tasks.results.location import Folder
from tasks.results.parts import read_part
from tasks.results.schemas import Row

LENGTH = "length"
CUT = "answer_cut"


@dataclass(frozen=True, slots=True)
class MeasuredRows:
    """The rows of a route's result set that are about the sample."""

    documents: Sequence[Row]
    calls: Sequence[Row]
    failures: Sequence[Row]


def found(job: Prepared) -> MeasuredRows:
    """Read a route's rows for the sample, except for documents that were asked about with another fingerprint.

    Raises StorageFailed.
    """
    sample = {document.document_id for document in job.documents()}
    folder, names = job.options.folder, sample & asked_documents(job.state, job.fingerprint)
    return MeasuredRows(*(list(_rows(folder, table, names)) for table in ("documents", "calls", "failures")))


def _rows(folder: Folder, table: str, names: Collection[str]) -> Iterable[dict[str, Any]]:
    for part in folder.parts(table):
        yield from (row for row in read_part(folder, part).to_pylist() if row["document_id"] in names)


def measure(
    rows: MeasuredRows, documents: int, price: Price | None, *, has_schema: bool, stopped: str | None
) -> Measured:
    """Return the measures of a route over a sample of so many documents, likeness apart."""
    status = Counter(row["status"] for row in rows.documents)
    latencies = [call["latency_ms"] for call in rows.calls if call["latency_ms"] is not None]
    outputs = [row["output"] for row in rows.documents if row["output"] is not None and row["status"] != "failed"]
    return Measured(
        documents,
        done=status["done"],
        partial=status["partial"],
        failed=status["failed"],
        calls=len(rows.calls),
        attempts=sum(call["attempts"] for call in rows.calls),
        prompt_tokens=sum(call["prompt_tokens"] for call in rows.calls),
        completion_tokens=sum(call["completion_tokens"] for call in rows.calls),
        cost_usd=_sum(cost_of(call, price) for call in rows.calls),
        latency_mean=mean(latencies) if latencies else None,
        latency_p50=float(np.quantile(latencies, 0.5)) if latencies else None,
        latency_p90=float(np.quantile(latencies, 0.9)) if latencies else None,
        tokens_per_second=_speed(rows.calls),
        failures=dict(Counter(row["error_kind"] for row in rows.failures).most_common()),
        answer_characters=mean([len(text) for text in outputs]) if outputs else None,
        cut=sum(row["error_kind"] == CUT for row in rows.documents),
        empty=sum(not text.strip() for text in outputs),
        valid=_valid(rows) if has_schema else None,
        repaired=_repaired(rows.calls) if has_schema else None,
        stopped=stopped,
    )


def cost_of(call: Row, price: Price | None) -> float | None:
    """Return what a call costs at its route; for a reused answer, what it would have cost."""
    if not call["reused"]:
        cost: float | None = call["cost_usd"]
        return cost
    return price.cost(call["prompt_tokens"], call["completion_tokens"]) if price else None


def answers(rows: MeasuredRows, route: str, price: Price | None) -> list[ComparedAnswer]:
    """Return a route's answers, likeness apart, in the order of the documents' names."""
    calls: Mapping[str, list[Row]] = defaultdict(list)
    for call in rows.calls:
        calls[call["document_id"]].append(call)
    ordered = sorted(rows.documents, key=lambda row: str(row["document_id"]))
    return [_answer(row, calls[row["document_id"]], route, price) for row in ordered]


def _answer(row: Row, calls: Sequence[Row], route: str, price: Price | None) -> ComparedAnswer:
    output = row["output"] if row["status"] != "failed" else None
    return ComparedAnswer(
        document_id=row["document_id"],
        route=route,
        provider=row["provider"],
        model=row["model"],
        status=row["status"],
        output=output,
        characters=len(output or ""),
        calls=len(calls),
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        cost_usd=_sum(cost_of(call, price) for call in calls),
        latency_ms=sum(call["latency_ms"] or 0 for call in calls) if calls else None,
        is_cut=row["error_kind"] == CUT,
        agreement=None,
        rouge_l=None,
        error_kind=row["error_kind"],
        error=row["error"],
    )


def _sum(costs: Iterable[float | None]) -> float | None:
    """Return the sum, or None where one isn't known."""
    every = list(costs)
    known = [cost for cost in every if cost is not None]
    return sum(known) if len(known) == len(every) else None


def _speed(calls: Sequence[Row]) -> float | None:
    """Return the tokens of answers a second of waiting for them."""
    seconds = sum(call["latency_ms"] or 0 for call in calls) / 1000
    return sum(call["completion_tokens"] for call in calls) / seconds if seconds else None


def _valid(rows: MeasuredRows) -> int:
    """Count the documents whose every answer fits the schema in the end."""
    invalid = {row["document_id"] for row in rows.failures if row["error_kind"] == INVALID}
    return sum(row["status"] != "failed" and row["document_id"] not in invalid for row in rows.documents)


def _repaired(calls: Sequence[Row]) -> int:
    """Count the calls that asked for a better answer: the second at a place whose first wasn't cut off."""
    places: dict[tuple[Any, ...], Row] = {}
    count = 0
    for call in sorted(calls, key=lambda call: str(call["created_at"])):
        place = (call["document_id"], call["stage"], call["level"], call["position"])
        before = places.get(place)
        count += before is not None and before["finish_reason"] != LENGTH
        places[place] = call
    return count
