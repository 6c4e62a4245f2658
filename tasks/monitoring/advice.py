"""Advice from the history of one's own jobs: a pure function over their facts."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tasks.monitoring.health_records import Advice

# Less than this isn't worth a word.
LEAST_USD, LEAST_SHARE = 0.01, 0.1
LEAST_CALLS = 20
CUT_SHARE, RETRY_SHARE = 0.05, 0.2
FAR_BELOW, BUSY = 0.5, 0.8
MANY_CHUNKS, WIDER = 3.0, 2.0
LONG_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Other:
    """Another route that could have done the work: what it would have cost in USD (None: not known), and its window."""

    label: str
    cost_usd: float | None
    context: int | None


@dataclass(frozen=True, slots=True)
class MonitoredJob:
    """Sums over the calls of one job on one route; tokens are those of its paid calls."""

    place: str
    provider: str
    model: str
    documents: int
    calls: int
    chunks: int  # calls over pieces of the texts themselves
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    cut: int  # answers that ended at their most tokens
    retries: int  # attempts beyond the first of each call
    busiest_minute: int  # calls answered in the busiest minute
    in_flight: float  # on average, over the seconds
    seconds: float  # from the first call's sending to the last answer
    max_output_tokens: int
    concurrency: int  # set, or the provider's
    rpm: int | None  # set or declared
    context: int | None = None  # the route's window in tokens, where it is known
    set_context: int | None = None  # --context
    others: tuple[Other, ...] = ()

    @property
    def label(self) -> str:
        """The route as PROVIDER/MODEL."""
        return f"{self.provider}/{self.model}"


def advise(jobs: Iterable[MonitoredJob]) -> list[Advice]:
    """Return what to change, what saves most first; jobs of few calls tell nothing."""
    found = [one for job in jobs if job.calls >= LEAST_CALLS for one in _advise(job)]
    return sorted(found, key=lambda one: -(one.saves_usd or 0.0))


def _advise(job: MonitoredJob) -> Iterator[Advice]:
    yield from _dearer(job)
    yield from _limit(job)
    yield from _window(job)
    yield from _cut(job)
    yield from _retries(job)


def _dearer(job: MonitoredJob) -> Iterator[Advice]:
    costs = [(other.cost_usd, other) for other in job.others if other.cost_usd is not None]
    if job.cost_usd is None or not costs:
        return
    cost, other = min(costs, key=lambda pair: pair[0])
    saves = job.cost_usd - cost
    if saves < LEAST_USD or saves < LEAST_SHARE * job.cost_usd:
        return
    because = (
        f"{job.place}: {job.calls:,} calls of {job.prompt_tokens:,} + {job.completion_tokens:,} tokens cost "
        f"${job.cost_usd:.2f} at {job.label}; {other.label} takes ${cost:.2f} for as many"
    )
    yield Advice("dearer", f"{job.label} is dearer than needed", because, _flags(other.label), round(saves, 6))


def _limit(job: MonitoredJob) -> Iterator[Advice]:
    """Advise on --concurrency where requests a minute stay far below their limit: too low, or needlessly high."""
    if job.rpm is None or job.seconds < LONG_SECONDS or job.busiest_minute >= FAR_BELOW * job.rpm:
        return
    because = (
        f"{job.place}: {job.busiest_minute:,} requests in the busiest minute of {job.rpm:,} allowed; "
        f"{job.in_flight:.1f} of {job.concurrency:,} calls in flight on average"
    )
    if job.in_flight >= BUSY * job.concurrency:
        wanted = math.ceil(job.concurrency * job.rpm / max(job.busiest_minute, 1))
        yield Advice("limit", f"{job.label} could be asked faster", because, f"--concurrency {wanted}")
    elif job.in_flight <= FAR_BELOW * job.concurrency:
        fewer = max(1, math.ceil(2 * job.in_flight))
        title = f"the limits of {job.label} were never reached"
        yield Advice("limit", title, because, f"--concurrency {fewer} is as fast; --rpm can be left out")


def _window(job: MonitoredJob) -> Iterator[Advice]:
    chunks = job.chunks / max(job.documents, 1)
    if chunks < MANY_CHUNKS or job.context is None:
        return
    numbers = f"{job.place}: {chunks:.1f} chunks a document in a window of "
    if job.set_context is not None and WIDER * job.set_context <= job.context:
        because = f"{numbers}{job.set_context:,} tokens; {job.label} has {job.context:,}"
        yield Advice("window", "--context makes calls multiply", because, f"--context {job.context}, or leave it out")
        return
    window = min(job.context, job.set_context or job.context)
    wider = [
        other for other in job.others
        if (other.context or 0) >= WIDER * window and _no_dearer(other, job)
    ]  # fmt: skip
    if wider:
        best = max(wider, key=lambda other: other.context or 0)
        because = f"{numbers}{window:,} tokens; {best.label} has {best.context:,} and is no dearer"
        yield Advice("window", f"the window of {job.label} makes calls multiply", because, _flags(best.label))


def _no_dearer(other: Other, job: MonitoredJob) -> bool:
    return other.cost_usd is not None and job.cost_usd is not None and other.cost_usd <= job.cost_usd


def _cut(job: MonitoredJob) -> Iterator[Advice]:
    share = job.cut / job.calls
    if share >= CUT_SHARE:
        because = (
            f"{job.place}: {job.cut:,} of {job.calls:,} answers ({share:.0%}) ended at {job.max_output_tokens:,} tokens"
        )
        flag = f"--max-output-tokens {2 * job.max_output_tokens}"
        yield Advice("cut", f"answers of {job.label} are often cut off", because, flag)


def _retries(job: MonitoredJob) -> Iterator[Advice]:
    share = job.retries / job.calls
    if share >= RETRY_SHARE:
        because = f"{job.place}: {job.retries:,} attempts beyond the first for {job.calls:,} answers ({share:.0%})"
        fewer = max(1, job.concurrency // 2)
        flag = f"--concurrency {fewer}, or --fallback P/M"
        yield Advice("retries", f"{job.label} has to be asked again and again", because, flag)


def _flags(label: str) -> str:
    provider, _, model = label.partition("/")
    return f"--provider {provider} --model {model}"
