"""Everything that can go wrong, grouped by what the caller does next.

DocmillError
├── UserMistake                say it in one line and leave with exit code 2
│   └── InUse                  another run holds the result set: leave, or wait for it
├── CallFailed                 one call to a provider failed
│   ├── Transient              wait, then ask again
│   └── CallRejected           this call will never succeed: the document goes on without it
│       └── Overflow           the prompt is larger than the window
├── NotSent                    another request takes this one's place: send that
├── DocumentFailed             the document can't be read or answered: a row in `failures`
├── RouteUnavailable           one route is gone: the document goes on at the next one
│   ├── AccountRefused         bad key, no credit, spent quota
│   ├── CertificateRefused     no TLS with the server
│   ├── RouteDown              nobody answers there, for now
│   └── ModelUnknown           the provider has no such model
└── JobPaused                  pause the whole job; the same command takes it up again
    ├── NoRouteLeft            every route is unavailable
    ├── BudgetReached          the next call could cost more than is left
    ├── StorageFailed          the disk or the bucket is full, read-only, or out of reach
    │   └── StorageRefused     no key, no permission or no bucket; before the job, the user's mistake
    ├── LeaderLost             the run that this process works for is gone
    └── Interrupted            SIGINT or SIGTERM
"""


class DocmillError(Exception):
    """Base class of all errors; the message is one line that names what failed and how to fix it."""

    kind: str = "error"


class UserMistake(DocmillError):
    """Usage, configuration or input that only the user can put right."""

    kind = "user_mistake"


class InUse(UserMistake):
    """Another run holds the result set; its holder is named."""


class CallFailed(DocmillError):
    """One call failed; `reason` is a stable word for the `error_kind` column.

    `words` are all that the provider said, of which the message shows the beginning. `paid`
    is what the provider answered and is paid for although it can't be used: an Answer or
    Vectors (tasks/providers).
    """

    def __init__(self, reason: str, message: str, *, status: int | None = None, paid: object = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.status = status
        self.paid = paid
        self.words = message
        self.attempts = 1


class Transient(CallFailed):
    """The call is worth retrying; `retry_after` is the delay that the server asked for, in seconds."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        paid: object = None,
    ) -> None:
        super().__init__(reason, message, status=status, paid=paid)
        self.retry_after = retry_after


class CallRejected(CallFailed):
    """Retrying would fail again; only this call is lost. Later runs don't repeat a call that is `paid`."""


class Overflow(CallRejected):
    """The provider says that prompt and answer exceed its window."""


class DocumentFailed(DocmillError):
    """The document as a whole can't be answered; `reason` goes to `error_kind`."""

    def __init__(self, reason: str, message: str, *, stage: str = "read") -> None:
        super().__init__(message)
        self.reason = reason
        self.stage = stage


class JobPaused(DocmillError):
    """The job pauses and the same command resumes it (exit code 4)."""

    kind = "stopped"


class NotSent(DocmillError):
    """This request isn't sent after all: another takes its place."""


class RouteUnavailable(DocmillError):
    """One route can't be used any more in this run: the document goes on at the next one."""

    kind = "route_lost"


class AccountRefused(RouteUnavailable):
    """The provider refuses the account: key, credit or quota."""

    kind = "account_refused"


class CertificateRefused(RouteUnavailable):
    """The server's certificate isn't to be trusted, or it doesn't speak TLS."""

    kind = "certificate_refused"


class RouteDown(RouteUnavailable):
    """The provider answers no calls for now; it may recover.

    `exhausted` is the error of the call that used up its attempts, if that was the cause.
    """

    kind = "route_down"

    def __init__(self, message: str, exhausted: CallFailed | None = None) -> None:
        super().__init__(message)
        self.exhausted = exhausted


class ModelUnknown(RouteUnavailable):
    """The provider doesn't know the model: the user's mistake, found at the first call."""

    kind = "model_unknown"


class NoRouteLeft(JobPaused):
    """Every route is unavailable; `cause` is the error of the last one, which also gives `kind`."""

    def __init__(self, cause: RouteUnavailable) -> None:
        super().__init__(cause)
        self.cause = cause
        self.kind = cause.kind


class BudgetReached(JobPaused):
    """The worst case of the next call would exceed the budget."""

    kind = "budget_reached"


class StorageFailed(JobPaused):
    """A result or ledger write failed; what was written before stays valid."""

    kind = "storage_failed"


class StorageRefused(StorageFailed):
    """The result location refuses access until the user fixes keys or permissions."""


class LeaderLost(JobPaused):
    """A worker's run is gone: what arrives is recorded, and nothing more is written."""

    kind = "leader_lost"


class Interrupted(JobPaused):
    """A signal asked the job to stop; calls in flight were drained."""

    kind = "interrupted"

    def __init__(self, signal: int) -> None:
        super().__init__("interrupted: the same command goes on where it stopped")
        self.signal = signal
