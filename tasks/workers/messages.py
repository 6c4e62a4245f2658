"""The messages between a run and its workers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from tasks.base.errors import DocmillError, JobPaused, NoRouteLeft
from tasks.dispatch.limits.leases import LeaseRequest, Leases
from tasks.running.work import Shard

# A Unix socket's path, or host and port.
Address = str | tuple[str, int]


class LeaderAddress(NamedTuple):
    """Where workers reach their run. `key_note` is the name of the note in its state that holds their common key."""

    job_id: str
    address: Address
    key_note: str | None = None


class Report(NamedTuple):
    """What a worker has done since its last report; `spent` is in USD, and its total so far."""

    counts: Mapping[str, float]
    troubles: Sequence[str] = ()
    waiting: str = ""
    spent: float = 0.0
    returned: float = 0.0
    stopped: JobPaused | None = None


class Directives(NamedTuple):
    """What a worker is to do: stop within so many seconds, leave, or return what it doesn't need of the budget."""

    stop: str | None = None
    seconds: float = 0.0
    leave: bool = False
    save: bool = False


class LeaderApi(Protocol):
    """What a worker may ask of its run; each says its own name first. Raises LeaderLost once the run is gone."""

    def join(self, worker: str, who: str, fingerprint: str) -> None:
        """Join the work on the job. Raises UserMistake if the worker's `fingerprint` differs from the run's."""
        ...

    def heartbeat(self, worker: str, report: Report) -> Directives:
        """Report what was done, and return what to do."""
        ...

    def next(self, worker: str, is_hungry: bool) -> Shard | None:  # noqa: FBT001 - over a line, places only
        """Return a shard, or None if there is none now; a worker that isn't hungry gets only lost workers' shards."""
        ...

    def finished(self, worker: str, number: int, unchanged: int) -> None:
        """Hand a shard in, with how many of its documents were left as they are."""
        ...

    def grant(self, worker: str, needs: float, spent: float, returned: float) -> float:
        """Ask for money (USD), as `BudgetShares.grant` has it. Raises BudgetReached."""
        ...

    def lease(self, worker: str, account: str, ask: LeaseRequest) -> Leases:
        """Lease a part of an account's limits."""
        ...

    def may_claim(self, number: int) -> bool:
        """Whether all shards before have claimed their texts."""
        ...

    def claimed(self, number: int) -> None:
        """Say that a shard has claimed its texts."""
        ...

    def is_first(self, number: int) -> bool:
        """Whether all shards before are finished."""
        ...

    def broke(self, worker: str, error: DocmillError) -> None:
        """Say why the worker can't work."""
        ...


def plain(error: JobPaused) -> JobPaused:
    """Return an error that can be sent to another process: with its message only."""
    if isinstance(error, NoRouteLeft):
        route_error: Any = type(error.cause)
        return NoRouteLeft(route_error(str(error)))
    plain_error: Any = type(error)
    return plain_error(str(error))  # type: ignore[no-any-return]
