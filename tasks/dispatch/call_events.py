"""The events that a dispatcher records about its calls."""

from dataclasses import dataclass

from tasks.base.errors import CallFailed, RouteUnavailable
from tasks.events.event import SILENT, Name, Observer

# A wait for the limits that is worth a line of its own.
LONG_SECONDS = 1.0


@dataclass(slots=True)
class CallEvents:
    """Records the events of the calls on one route."""

    observer: Observer = SILENT

    def sent(self, call_id: str, document_id: str, attempt: int, waited: float, why: str) -> None:
        """Record that a call is sent, after it was held up for `waited` seconds because of `why`."""
        note, waited = self.observer.note, round(waited, 3)
        if waited >= LONG_SECONDS:
            note("call waited", call_id=call_id, document_id=document_id, attempt=attempt, wait_seconds=waited, why=why)
        note("call sent", call_id=call_id, document_id=document_id, attempt=attempt, wait_seconds=waited)

    def refused(self, call_id: str, document_id: str, attempt: int, error: CallFailed) -> None:
        """Record that an attempt failed."""
        self._failed("call refused", call_id, document_id, attempt, error)

    def retried(self, call_id: str, document_id: str, attempt: int, error: CallFailed, wait: float | None) -> None:
        """Record that a call will be retried: after `wait` seconds, or if None, once the limits allow."""
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
        """Record that a call won't be retried."""
        self._failed("call given up", call_id, document_id, error.attempts, error)

    def left(self, call_id: str, document_id: str, attempt: int, error: RouteUnavailable | CallFailed) -> None:
        """Record that a call leaves this route, which is lost or down."""
        kind = error.reason if isinstance(error, CallFailed) else error.kind
        self.observer.note("call left", call_id=call_id, document_id=document_id, attempt=attempt, error_kind=kind)

    def reused(self, call_id: str, document_id: str) -> None:
        """Record that a call's answer was already in the ledger."""
        self.observer.note("call reused", call_id=call_id, document_id=document_id)

    def set_aside(self, call_id: str | None, document_id: str, error: CallFailed) -> None:
        """Record that an answer that was paid for is unusable."""
        self.observer.note("answer set aside", call_id=call_id, document_id=document_id, error_kind=error.reason)

    def lost(self, error: RouteUnavailable) -> None:
        """Record that the route can't be used any more in this run."""
        self.observer.note("route lost", error_kind=error.kind)

    def turned(self, *, down: bool) -> None:
        """Record that the route has gone down, or is back."""
        self.observer.note("route down" if down else "route up")

    def learned(self, unit: str, period: float, limit: float, *, told: bool) -> None:
        """Record a new or changed limit: stated by a header (`told`), or found by refusals."""
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
