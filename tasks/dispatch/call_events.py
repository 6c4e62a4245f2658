"""What a dispatcher tells of its calls."""

from dataclasses import dataclass

from tasks.base.errors import CallFailed, RouteUnavailable
from tasks.events.event import SILENT, Name, Observer

# A wait for the limits that is worth a line of its own.
LONG_SECONDS = 1.0


@dataclass(slots=True)
class CallEvents:
    """The voice of one route."""

    observer: Observer = SILENT

    def sent(self, call_id: str, document_id: str, attempt: int, waited: float, why: str) -> None:
        """A call goes on the wire, after it was held up for so many seconds."""
        note, waited = self.observer.note, round(waited, 3)
        if waited >= LONG_SECONDS:
            note("call waited", call_id=call_id, document_id=document_id, attempt=attempt, wait_seconds=waited, why=why)
        note("call sent", call_id=call_id, document_id=document_id, attempt=attempt, wait_seconds=waited)

    def refused(self, call_id: str, document_id: str, attempt: int, error: CallFailed) -> None:
        """An attempt failed."""
        self._failed("call refused", call_id, document_id, attempt, error)

    def retried(self, call_id: str, document_id: str, attempt: int, error: CallFailed, wait: float | None) -> None:
        """It will be asked again: after a wait of its own, or with all other callers once the limits allow."""
        asked = getattr(error, "retry_after", None)
        self.observer.note(
            "call retried",
            call_id=call_id,
            document_id=document_id,
            attempt=attempt,
            http_status=error.status,
            error_kind=error.reason,
            wait_seconds=round(wait, 3) if wait is not None else asked,
            why="limit" if wait is None else "backoff" if asked is None else "retry_after",
        )

    def given_up(self, call_id: str, document_id: str, error: CallFailed) -> None:
        """It won't be asked again."""
        self._failed("call given up", call_id, document_id, error.attempts, error)

    def left(self, call_id: str, document_id: str, attempt: int, error: RouteUnavailable | CallFailed) -> None:
        """It isn't asked here, for now: the route is lost or down."""
        kind = error.reason if isinstance(error, CallFailed) else error.kind
        self.observer.note("call left", call_id=call_id, document_id=document_id, attempt=attempt, error_kind=kind)

    def reused(self, call_id: str, document_id: str) -> None:
        """Its answer was there already."""
        self.observer.note("call reused", call_id=call_id, document_id=document_id)

    def set_aside(self, call_id: str | None, document_id: str, error: CallFailed) -> None:
        """Its answer, which was paid, is of no use."""
        self.observer.note("answer set aside", call_id=call_id, document_id=document_id, error_kind=error.reason)

    def lost(self, error: RouteUnavailable) -> None:
        """The route can't be used any more in this run."""
        self.observer.note("route lost", error_kind=error.kind)

    def turned(self, *, down: bool) -> None:
        """The route has gone down, or come back."""
        self.observer.note("route down" if down else "route up")

    def learned(self, unit: str, period: float, limit: float, *, told: bool) -> None:
        """A limit that nobody declared, or another than was known: told by a header, or found by refusals."""
        how = "told" if told else "refused"
        self.observer.note("limit learned", unit=unit, period_seconds=period, limit=round(limit, 3), how=how)

    def _failed(self, name: Name, call_id: str, document_id: str, attempt: int, error: CallFailed) -> None:
        self.observer.note(
            name,
            call_id=call_id,
            document_id=document_id,
            attempt=attempt,
            http_status=error.status,
            error_kind=error.reason,
        )
