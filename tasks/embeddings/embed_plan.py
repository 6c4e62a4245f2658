"""What an embedding job will come to: chunks, requests, tokens, price, time."""

import itertools
import math

from tasks.calls.embedding_cutter import embed_cutter
from tasks.calls.estimate import CHARACTERS_A_TOKEN
from tasks.calls.packing import SPECIAL_TOKENS
from tasks.embeddings.making import embed_options
from tasks.planning.job_routes import JobRoute
from tasks.planning.plan import PLAN_BYTES, QUICK_BYTES, Plan, Rival, source_of
from tasks.planning.prepared import Prepared
from tasks.planning.reuse import kept
from tasks.planning.sample import SampleTotals, sample_totals
from tasks.providers.effective_limits import EffectiveLimits


def make_embed_plan(prepared: Prepared, *, quick: bool = False) -> Plan:
    """Read the documents and add up; of many only a part, the less with `quick`. Nobody is called.

    Equal texts, which are asked once, aren't foreseen. Raises UserMistake where there are no documents.
    """
    options, job_route, found = embed_options(prepared), prepared.job_routes[0], kept(prepared)
    cutter = embed_cutter(job_route.route, job_route.tokenizer, options)
    documents = itertools.islice(prepared.documents(), options.limit)
    sums = sample_totals(prepared, documents, cutter, found, QUICK_BYTES if quick else PLAN_BYTES, prepared.sizes)
    chunks, tokens = _whole(sum(count for *_, count in sums.sizes), sums), _tokens(sums)
    price, likely = job_route.route.price, tokens if job_route.tokenizer.exact else tokens // CHARACTERS_A_TOKEN
    return Plan(
        provider=job_route.route.provider_name,
        model=job_route.route.model,
        context=job_route.route.window.context,
        tokenizer=job_route.route.tokenizer,
        tokenizer_exact=job_route.tokenizer.exact,
        strategy=f"chunks of at most {cutter.limit:,} tokens, {job_route.packing(options).inputs:,} of them a request",
        documents=sums.documents,
        unreadable=sum(sums.unreadable.values()),
        unreadable_kinds=dict(sums.unreadable),
        unchanged=sums.unchanged,
        kept_answers=found.answers,
        characters=_whole(sums.characters, sums),
        chunks=chunks,
        calls=_requests(job_route, prepared, chunks, tokens),
        calls_by_level=[_requests(job_route, prepared, chunks, tokens), 0],
        prompt_tokens=tokens,
        completion_tokens=0,
        completion_expected=0,
        price_low=price.cost(likely, 0) if price else None,
        price_expected=price.cost(likely, 0) if price else None,
        price_high=price.cost(tokens, 0) if price else None,
        price_source=source_of(price),
        unpriced=[] if price else [job_route.label],
        seconds=_seconds(job_route, prepared, chunks, tokens),
        exact=sums.exact,
        error=0.0 if sums.exact else round(sums.error(), 4),
        pool=[one.label for one in prepared.job_routes] if options.pool else [],
        rivals=[_rival(one, prepared, chunks, tokens) for one in prepared.rivals],
        left_out=prepared.left_out,
        notes=sums.notes(),
    )


def _whole(part: int, sums: SampleTotals) -> int:
    return round(part * sums.factor)


def _tokens(sums: SampleTotals) -> int:
    return _whole(sum(tokens for _, tokens, _ in sums.sizes), sums)


def _requests(job_route: JobRoute, prepared: Prepared, chunks: int, tokens: int) -> int:
    """Return about how many requests so many chunks make."""
    packing = job_route.packing(embed_options(prepared))
    by_tokens = math.ceil((tokens + SPECIAL_TOKENS * chunks) / packing.tokens) if packing.tokens else 0
    return max(math.ceil(chunks / packing.inputs), by_tokens)


def _seconds(job_route: JobRoute, prepared: Prepared, chunks: int, tokens: int) -> float:
    limits = EffectiveLimits.of(prepared.options, job_route.provider)
    return limits.seconds(_requests(job_route, prepared, chunks, tokens), tokens)


def _rival(job_route: JobRoute, prepared: Prepared, chunks: int, tokens: int) -> Rival:
    """Judge a rival by the tokens counted for the first route."""
    price = job_route.route.price
    requests = _requests(job_route, prepared, chunks, tokens)
    cost = price.cost(tokens, 0) if price else None
    seconds = _seconds(job_route, prepared, chunks, tokens)
    return Rival(job_route.label, job_route.route.window.context, requests, cost, source_of(price), seconds)
