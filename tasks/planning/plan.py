"""Estimate a job: documents, chunks, calls, tokens, price and time; and the same for rival routes."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tasks.calls.cutting import Cutter
from tasks.calls.estimate import CHARACTERS_A_TOKEN, Expected
from tasks.models.price import Price
from tasks.planning.job_routes import JobRoute
from tasks.planning.prepared import Prepared
from tasks.planning.reuse import ReusableAnswers, kept
from tasks.planning.sample import SampleTotals, sample_totals
from tasks.prompting.options import Options
from tasks.providers.effective_limits import EffectiveLimits
from tasks.strategies.named import of_chunks, of_text, usual_answer

# A run begins with a quick plan: it reads so many bytes and scales up from there; --plan reads more.
QUICK_BYTES, PLAN_BYTES = 5_000_000, 400_000_000
RIVALS = 8


@dataclass(frozen=True, slots=True)
class Rival:
    """What the same job would come to at another route, by arithmetic."""

    route: str
    context: int
    calls: int
    price_expected: float | None
    price_source: str | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Sums over the documents that aren't done yet, at the first route.

    `exact` is False where they were scaled up from a sample: `error` is then the share
    by which tokens may be off, at 95 %. Prices are in USD: `low` with answers of one
    token, `expected` with answers of the usual length, `high` with every answer at its
    most; None where one isn't known, of the routes in `unpriced`. `seconds` is the time the limits allow.
    """

    provider: str
    model: str
    context: int
    tokenizer: str
    tokenizer_exact: bool
    strategy: str
    documents: int
    unreadable: int
    unreadable_kinds: Mapping[str, int]
    unchanged: int
    kept_answers: int
    characters: int
    chunks: int
    calls: int
    calls_by_level: Sequence[int]
    prompt_tokens: int
    completion_tokens: int
    completion_expected: int
    price_low: float | None
    price_expected: float | None
    price_high: float | None
    price_source: str | None
    unpriced: Sequence[str]
    seconds: float
    exact: bool
    error: float
    pool: Sequence[str]
    rivals: Sequence[Rival]
    left_out: Mapping[str, str]
    notes: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return asdict(self)


def make_plan(prepared: Prepared, *, quick: bool = False) -> Plan:
    """Read the documents, or only a part of many (a smaller one with `quick`), and add up. No calls are made.

    Raises UserMistake if there are no documents.
    """
    cutter, found = prepared.job_routes[0].cutter(prepared.options), kept(prepared)
    documents = itertools.islice(prepared.documents(), prepared.options.limit)
    sums = sample_totals(prepared, documents, cutter, found, QUICK_BYTES if quick else PLAN_BYTES, prepared.sizes)
    return _plan(prepared, cutter, sums, found)


def _plan(prepared: Prepared, cutter: Cutter, sums: SampleTotals, found: ReusableAnswers) -> Plan:
    job_route, options = prepared.job_routes[0], prepared.options
    most = job_route.route.window.max_answer
    usual = usual_answer(cutter, custom=options.prompt is not None)
    low, middle, high = (_total(sums, cutter, answer).times(sums.factor) for answer in (1, usual, most))
    # If token counts are only an upper bound, a quarter of it is the likely count.
    likely = 1.0 if job_route.tokenizer.exact else 1 / CHARACTERS_A_TOKEN
    price = job_route.route.price
    asked = prepared.job_routes if options.pool else (job_route,)
    prices = [one.route.price for one in asked]
    costs = [_costs(one, low, middle, high, likely) for one in prices if one]
    known = costs if len(costs) == len(prices) else []
    return Plan(
        provider=job_route.route.provider_name,
        model=job_route.route.model,
        context=job_route.route.window.context,
        tokenizer=job_route.route.tokenizer.split("/")[-1],
        tokenizer_exact=job_route.tokenizer.exact,
        strategy=_explained(options.strategy, sums, cutter.room(job_route.prompts.stuff)),
        documents=sums.documents,
        unreadable=sum(sums.unreadable.values()),
        unreadable_kinds=dict(sums.unreadable),
        unchanged=sums.unchanged,
        kept_answers=found.answers,
        characters=round(sums.characters * sums.factor),
        chunks=middle.chunks,
        calls=middle.calls,
        calls_by_level=[middle.chunks, middle.calls - middle.chunks],
        prompt_tokens=middle.prompt_tokens,
        completion_tokens=high.completion_tokens,
        completion_expected=middle.completion_tokens,
        price_low=min((cost[0] for cost in known), default=None),
        price_expected=_weighted(known, [one.share for one in prepared.job_routes]) if known else None,
        price_high=max((cost[2] for cost in known), default=None),
        price_source="the cheapest and the dearest of the pool" if options.pool else source_of(price),
        unpriced=[
            one.label for one in (prepared.job_routes if options.pool else [job_route]) if one.route.price is None
        ],
        seconds=_seconds(prepared, middle),
        exact=sums.exact,
        error=0.0 if sums.exact else round(sums.error(), 4),
        pool=[f"{one.label} {one.share:.0%}" for one in prepared.job_routes] if options.pool else [],
        rivals=[_rival(one, sums, cutter, prepared) for one in prepared.rivals[:RIVALS]],
        left_out=prepared.left_out,
        notes=sums.notes(),
    )


def _costs(price: Price, low: Expected, middle: Expected, high: Expected, likely: float) -> tuple[float, float, float]:
    """Return the USD of short answers, of usual ones, and of answers at their most."""
    return (
        price.cost(round(low.prompt_tokens * likely), low.completion_tokens),
        price.cost(round(middle.prompt_tokens * likely), middle.completion_tokens),
        price.cost(high.prompt_tokens, high.completion_tokens),
    )


def _weighted(costs: Sequence[tuple[float, float, float]], shares: Sequence[float]) -> float:
    """Return the expected USD where each route of a pool takes its share."""
    if len(costs) == 1:
        return costs[0][1]
    return sum(cost[1] * share for cost, share in zip(costs, shares, strict=True)) / sum(shares)


def _total(sums: SampleTotals, cutter: Cutter, answer: int | None) -> Expected:
    return sum((of_chunks(chunks, tokens, cutter, answer) for _, tokens, chunks in sums.sizes), Expected())


def _rival(job_route: JobRoute, sums: SampleTotals, ours: Cutter, prepared: Prepared) -> Rival:
    expected = foreseen(job_route, sums, ours, prepared.options)
    price = job_route.route.price
    cost = price.cost(expected.prompt_tokens, expected.completion_tokens) if price else None
    seconds = time_at(job_route, prepared.options, expected)
    return Rival(job_route.label, job_route.route.window.context, expected.calls, cost, source_of(price), seconds)


def foreseen(job_route: JobRoute, sums: SampleTotals, ours: Cutter, options: Options) -> Expected:
    """Estimate a route from the tokens that another route's cutter counted, as two tokenizers' counts are similar."""
    cutter = job_route.cutter(options)
    usual = usual_answer(cutter, custom=options.prompt is not None)
    share = 1.0 if ours.tokenizer.exact == job_route.tokenizer.exact else CHARACTERS_A_TOKEN
    share = 1 / share if ours.tokenizer.exact is False and job_route.tokenizer.exact else share
    works = (of_text(round(tokens * share), cutter, usual) for _, tokens, _ in sums.sizes)
    return sum(works, Expected()).times(sums.factor)


def source_of(price: Price | None) -> str | None:
    """Say where a price was read, and when."""
    if price is None:
        return None
    return f"{price.source} ({price.checked})" if price.checked else price.source


def _explained(strategy: str, sums: SampleTotals, room: int) -> str:
    """Say which strategy `auto` takes for how many documents, and why: `room` tokens of text fit in one call."""
    if strategy != "auto":
        return strategy
    short = len(sums.sizes) - sums.long
    if not sums.long:
        return f"auto: every document fits in one call ({room:,} tokens of text)"
    if short <= 0:
        return f"auto: map-reduce, no document fits in one call ({room:,} tokens of text)"
    fits = f"{short:,} documents that fit in it ({room:,} tokens of text)"
    return f"auto: one call for {fits}, map-reduce for {_others(sums.long)}"


def _seconds(prepared: Prepared, expected: Expected) -> float:
    """Return the time at the first route, or at all of a pool together, each with its share."""
    if not prepared.options.pool:
        return time_at(prepared.job_routes[0], prepared.options, expected)
    speeds = [1 / max(time_at(job_route, prepared.options, expected), 1e-9) for job_route in prepared.job_routes]
    return 1 / sum(speeds)


def _others(count: int) -> str:
    return f"the {count:,} others" if count > 1 else "the other"


def time_at(job_route: JobRoute, options: Options, expected: Expected) -> float:
    """Return the longest of what the limits demand: requests, tokens, and calls in flight at a typical speed."""
    limits = EffectiveLimits.of(options, job_route.provider)
    return limits.seconds(expected.calls, expected.prompt_tokens, expected.completion_tokens)
