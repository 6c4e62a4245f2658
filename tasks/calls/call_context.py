"""Where a call stands: in which document, at which position, and what that document has led to so far."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tasks.base.errors import CallFailed
from tasks.models.route import Route
from tasks.results.schemas import Row

MOST_CUTS = 5


class CallPosition(NamedTuple):
    """Where a call stands in its document; the span is None above level 0."""

    stage: str
    level: int
    position: int
    start: int | None = None
    end: int | None = None

    def is_of(self, row: dict[str, Any]) -> bool:
        """Whether a row of `calls` stands there too, at whatever stage."""
        return self[1:] == (row["level"], row["position"], row["start_char"], row["end_char"])


@dataclass(slots=True)
class DocumentProgress:
    """What one document has led to so far: rows for `calls` and `failures`.

    `exhausted` are calls that used up their attempts while nobody was answered, with
    their last error; those in `given_up` are not asked any more.
    """

    document_id: str
    calls: list[dict[str, Any]] = field(default_factory=list)
    failures: list[Row] = field(default_factory=list)
    exhausted: dict[str, CallFailed] = field(default_factory=dict)
    given_up: dict[str, CallFailed] = field(default_factory=dict)
    exhausted_at: dict[Route, float] = field(default_factory=dict)
    cuts: int = 1
    # The last answer that isn't valid, as it came.
    raw: str | None = None
    # The slower ones of requests that were asked twice.
    late: "list[asyncio.Task[None]]" = field(default_factory=list)
    _beside: set[str] = field(default_factory=set)
    _rows: dict[str, set[tuple[CallPosition, int]]] = field(default_factory=dict)

    @property
    def may_cut_again(self) -> bool:
        """Whether the text may be cut once more where a route refuses a chunk as too long."""
        return self.cuts < MOST_CUTS

    def begin_row(self, call_id: str, position: CallPosition, turns: int) -> bool:
        """Whether a call has no row yet: a document that is tried again finds the answers of its calls again."""
        positions = self._rows.setdefault(call_id, set())
        known = (position, turns) in positions
        positions.add((position, turns))
        return not known

    def looks_beside(self, call_id: str) -> bool:
        """Whether this is the first time that a call's other paid exchanges are looked up."""
        new = call_id not in self._beside
        self._beside.add(call_id)
        return new

    def has_other_row(self, call_id: str, position: CallPosition) -> bool:
        """Whether the same call has a row already for another position in the document."""
        return any(other != position for other, _ in self._rows.get(call_id, ()))

    async def heard_out(self, *, cut_off: bool = False) -> None:
        """Wait for the slower of hedged requests; if the job is cut off, cancel them."""
        while late := [task for task in self.late if not task.done()]:
            if cut_off:
                for task in late:
                    task.cancel()
            try:
                await asyncio.wait(late)
            except asyncio.CancelledError:
                cut_off = True


class CallContext(NamedTuple):
    """A document's progress and the position of one of its calls."""

    progress: DocumentProgress
    position: CallPosition

    @property
    def document_id(self) -> str:
        """The id of the document."""
        return self.progress.document_id

    def begin_row(self, call_id: str, turns: int) -> bool:
        """Whether a call of so many turns has no row at this position yet."""
        return self.progress.begin_row(call_id, self.position, turns)

    def last_call_id(self) -> str | None:
        """Return the id of the call that was recorded last at this position."""
        return next((row["call_id"] for row in reversed(self.progress.calls) if self.position.is_of(row)), None)

    def answers(self) -> int:
        """Count the answers of use at this position: the parts of one that was continued."""
        return sum(row["error_kind"] is None and self.position.is_of(row) for row in self.progress.calls)
