"""What the jobs of one account lease of its limits, and the book in which that is kept.

All jobs trade with one book, one after the other: each says what its callers wait for and
gets a block of it. A rate is leased as slots, evenly paced (as in `rate`), each good for
its own time and `late` seconds more: so any window holds, however many jobs use them,
and a slot that nobody used is lost. Of tokens, what was reserved and not used counts no
more, so beside the pace each job says what its own last minute holds, and all
of them together are never above the limit. Places in flight are shared max-min fairly; a job that
isn't heard of for GONE seconds holds none.

Pure: time is an argument, on the clock of whoever keeps the book.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from tasks.dispatch.limits.rate import slack_of
from tasks.providers.rate_limit_headers import Unit

# Slots are leased so far ahead, and lost so long after their time.
AHEAD = 1.25
LATE = 1.0
GONE = 10.0
# What a job used counts in a minute's window even after it has gone.
KEPT = 75.0
# After a job reaches the book again, others may follow: for this long, each has an equal share of the places.
SETTLING = 3.0
# With fewer places than jobs, the places rotate among the jobs every this many seconds.
TURN = 2.3


@dataclass(slots=True)
class RateRequest:
    """What a job wants of one rate: `want` units, or none if it can't have `least`.

    `share` is how much of what is reserved is used at last, `owed` what the pace has to be corrected by, `held` what
    the job's own window holds, the stock of its leases included.
    """

    unit: Unit
    limit: float
    period: float
    want: float = 0.0
    least: float = 0.0
    share: float = 1.0
    owed: float = 0.0
    held: float = 0.0

    @property
    def step(self) -> float:
        """The seconds a unit takes at the limit."""
        return (
            self.period + (late_of(self.period) + slack_of(self.period) if self.unit == "requests" else 0.0)
        ) / self.limit


@dataclass(slots=True)
class LeaseRequest:
    """What a job wants of all rates, by their keys, and how many calls it has, wants to have and may have in flight.

    `apart` is set when the job reaches the book again after losing it: the number of holders it knew then.
    """

    holder: str
    rates: dict[str, RateRequest]
    in_flight: int
    flights: int
    most: int
    leaving: bool = False
    apart: int = 0


class Lease(NamedTuple):
    """A block of `amount` units, `step` seconds apart; the first one's time is `start`, on the book's clock."""

    start: float
    amount: float
    step: float


class Leases(NamedTuple):
    """What a job got at `now`, the number of holders, and the seconds (`again`) until it need ask again."""

    now: float
    holders: int
    rates: dict[str, Lease]
    places: int
    again: float


@dataclass(slots=True)
class RateShare:
    """What a holder has of one rate; `lacks` is what it was refused, since when."""

    limit: float
    held: float = 0.0
    lacks: float = 0.0
    since: float | None = None


@dataclass(slots=True)
class RateHolder:
    """One job, with the time of its last request and what it holds."""

    seen: float
    places: int = 0
    flights: int = 0
    most: int = 0
    gone: bool = False
    rates: dict[str, RateShare] = field(default_factory=dict)


@dataclass(slots=True)
class QuotaBook:
    """When the next slot of each rate begins, and who holds what."""

    next: dict[str, float] = field(default_factory=dict)
    parts: int = 1
    settled: float = 0.0
    holders: dict[str, RateHolder] = field(default_factory=dict)

    def alive(self, now: float) -> dict[str, RateHolder]:
        """Return the holders that were heard of lately."""
        return {name: one for name, one in self.holders.items() if not one.gone and one.seen >= now - GONE}


BOOK = TypeAdapter(QuotaBook)


def late_of(period: float) -> float:
    """Return the seconds for which a slot is good after its time."""
    return min(LATE, period / 10)


def traded(ask: LeaseRequest, text: str, now: float) -> tuple[str, Leases]:
    """Trade with a book that is kept as JSON; one that can't be read is begun anew."""
    try:
        book = BOOK.validate_json(text)
    except ValidationError:
        book = QuotaBook()
    leases = allocate(book, ask, now)
    return BOOK.dump_json(book).decode(), leases


def allocate(book: QuotaBook, ask: LeaseRequest, now: float) -> Leases:
    """Record a job's request in the book, and return what it gets."""
    _forget(book, now)
    holder = book.holders.setdefault(ask.holder, RateHolder(now))
    holder.seen, holder.gone, holder.most, holder.flights = now, ask.leaving, ask.most, ask.flights
    holder.rates = {key: _account(holder.rates.get(key), wish) for key, wish in ask.rates.items()}
    alive = book.alive(now)
    if ask.leaving:
        holder.places = 0
        return Leases(now, len(alive), {}, 0, 0.0)
    if ask.apart:
        book.parts, book.settled = ask.apart, now + SETTLING
    rates = _leased(book, holder, ask.rates, now)
    places = _places(alive, ask.holder, now, book.parts if now < book.settled else 1)
    holder.places = max(places, ask.in_flight)
    again = [book.next[key] - AHEAD - now for key, wish in ask.rates.items() if rates[key].amount < wish.want]
    return Leases(now, len(alive), rates, places, max(again, default=0.0))


def _forget(book: QuotaBook, now: float) -> None:
    """Drop holders that are long gone; start anew if the clock went back, as a monotonic one does at a reboot."""
    if any(one.seen > now + 1 for one in book.holders.values()):
        book.next.clear()
        book.holders.clear()
        book.settled = 0.0
    for name in [name for name, one in book.holders.items() if one.seen < now - KEPT]:
        del book.holders[name]


def _account(known: RateShare | None, wish: RateRequest) -> RateShare:
    return RateShare(wish.limit, wish.held, known.lacks, known.since) if known else RateShare(wish.limit, wish.held)


def _leased(book: QuotaBook, holder: RateHolder, wishes: dict[str, RateRequest], now: float) -> dict[str, Lease]:
    """Lease from every rate the fraction that the tightest one allows, starting when the latest one allows it."""
    offers = {key: _offered(book, holder, key, wish, now) for key, wish in wishes.items()}
    wanted = [key for key, wish in wishes.items() if wish.want]
    fraction = min((offers[key].amount / wishes[key].want for key in wanted), default=0.0)
    start = max((offers[key].start for key in wanted), default=now)
    leases = {}
    for key, (own_start, offered, step) in offers.items():
        amount = min(offered, max(wishes[key].least, math.ceil(fraction * wishes[key].want))) if fraction else 0.0
        leases[key] = Lease(start, amount, step)
        book.next[key] = start + amount * step if amount else own_start
        holder.rates[key].held += amount
    return leases


def _offered(book: QuotaBook, holder: RateHolder, key: str, wish: RateRequest, now: float) -> Lease:
    """Return the most that a rate has for a wish: what its pace allows ahead, and of tokens what the window holds."""
    mine = holder.rates[key]
    # The lowest limit that a job declares is used.
    limit = min(one.rates[key].limit for one in book.alive(now).values() if key in one.rates)
    pace = wish.step * wish.limit / limit
    step = pace * wish.share
    start = max(book.next.get(key, now) + wish.owed * pace, now)
    ahead = now + AHEAD - start
    amount = min(wish.want, max(wish.least, math.floor(ahead / step) + 1)) if ahead >= 0 else 0.0
    if wish.unit != "requests":
        amount = math.floor(min(amount, limit - wish.held - sum(_before(book, key, mine))))
    if amount < wish.least or amount <= 0:
        mine.lacks, mine.since = wish.least, now if mine.since is None else mine.since
        return Lease(start, 0.0, step)
    mine.lacks, mine.since = 0.0, None
    return Lease(start, float(amount), step)


def _before(book: QuotaBook, key: str, mine: RateShare) -> Iterator[float]:
    """Yield what the others hold, and lack where they wait for longer: a large call isn't overtaken for ever."""
    for one in book.holders.values():
        other = one.rates.get(key)
        if other is not None and other is not mine:
            earlier = other.since is not None and (mine.since is None or other.since < mine.since)
            yield other.held + (other.lacks if earlier and not one.gone else 0.0)


def _places(alive: dict[str, RateHolder], name: str, now: float, parts: int) -> int:
    """Return how many calls one may have in flight: its fair share, as far as the others leave it free."""
    limit = min(one.most for one in alive.values())
    free = limit - sum(one.places for other, one in alive.items() if other != name)
    return max(0, min(_fair(alive, name, limit, now), free, max(1, limit // parts)))


def _fair(alive: dict[str, RateHolder], name: str, limit: int, now: float) -> int:
    """Return a max-min fair share: who wants little gets it, the others share what is left."""
    left, wanting = limit, sorted(alive, key=lambda other: (alive[other].flights, other))
    while wanting and alive[wanting[0]].flights <= left // len(wanting):
        left -= alive[wanting[0]].flights
        if wanting.pop(0) == name:
            return alive[name].flights
    share, rest = divmod(left, len(wanting))
    turn = (sorted(wanting).index(name) + int(now / TURN)) % len(wanting)
    return share + (turn < rest)
