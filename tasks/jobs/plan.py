"""What a job will come to: documents, chunks, calls, tokens, price, time."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from tasks.chunking.split import Chunk
from tasks.chunking.template import TEMPLATES
from tasks.documents.document import Document
from tasks.documents.extract import extract
from tasks.errors import DocumentFailed
from tasks.jobs.cut import SEAM, Cut, Cutter
from tasks.jobs.parallel import in_order
from tasks.jobs.prepare import Prepared, Stop
from tasks.routing.price import Price

# A run begins with a quick plan: it reads so many bytes and scales up from there.
SAMPLE_BYTES = 20_000_000
# An answer is seldom at its most; the low end of the range.
SHORT_ANSWER = 0.25
# Where tokens are only bounded (by bytes), prose has about a quarter of them.
CHARACTERS_A_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """Sums over all documents. `exact` is False where they were scaled up from a sample.

    Prices are in USD: `low` with short answers, `high` with every answer at its
    most; None where the price isn't known. `seconds` is the time the limits allow.
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
    characters: int
    chunks: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    price_low: float | None
    price_high: float | None
    price_source: str | None
    seconds: float
    exact: bool

    def as_json(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return asdict(self)


@dataclass(slots=True)
class _Sums:
    documents: int = 0
    unreadable: int = 0
    long: int = 0
    characters: int = 0
    bytes: int = 0
    chunks: int = 0
    calls: int = 0
    prompt_tokens: int = 0

    def scaled(self, factor: float) -> "_Sums":
        return _Sums(*(round(value * factor) for value in asdict(self).values()))


def make_plan(prepared: Prepared, *, sampled: bool = False) -> Plan:
    """Read the documents (with `sampled` only the first 20 MB) and add up; nobody is called.

    Raises UserMistake where there are no documents.
    """
    stop = prepared.stops[0]
    cutter = Cutter(stop.route, stop.tokenizer, stop.prompts, prepared.options.strategy)
    documents = itertools.islice(prepared.documents(), prepared.options.limit)
    sums = _Sums()
    wanted = _within(documents, SAMPLE_BYTES) if sampled else documents
    kinds: Counter[str] = Counter()
    for document, cut in in_order(partial(_cut, cutter), wanted):
        _add(sums, document, cut, cutter)
        if isinstance(cut, DocumentFailed):
            kinds[cut.reason] += 1
    first = next(documents, None)
    if first is not None:
        sums = _scaled(sums, first, documents)
    return _plan(prepared, cutter, sums, kinds, exact=first is None)


def _within(documents: Iterator[Document], most: int) -> Iterator[Document]:
    """Yield documents until they have more than `most` bytes together; the others stay where they are."""
    total = 0
    while total <= most and (document := next(documents, None)) is not None:
        total += document.size
        yield document


def _cut(cutter: Cutter, document: Document) -> tuple[Document, Cut | DocumentFailed]:
    try:
        return document, cutter.cut(extract(document))
    except DocumentFailed as error:
        return document, error


def _add(sums: _Sums, document: Document, cut: Cut | DocumentFailed, cutter: Cutter) -> None:
    sums.documents += 1
    sums.bytes += document.size
    if isinstance(cut, DocumentFailed):
        sums.unreadable += 1
        return
    sums.characters += len(cut.text)
    sums.chunks += len(cut.chunks)
    sums.long += len(cut.chunks) > 1
    calls, tokens = _calls(cut.chunks, cutter, refine=cut.strategy == "refine")
    sums.calls += calls
    sums.prompt_tokens += tokens


def _calls(chunks: Sequence[Chunk], cutter: Cutter, *, refine: bool) -> tuple[int, int]:
    """Return the calls over a document's chunks and their prompts' tokens, answers at their most."""
    route, count = cutter.route, cutter.tokenizer.count
    overhead = TEMPLATES[route.template].overhead(1) + SEAM
    calls = len(chunks)
    template = cutter.prompts.stuff if calls == 1 else cutter.prompts.map
    tokens = sum(chunk.tokens + count(template) + overhead for chunk in chunks)
    answer = route.window.max_answer
    if refine:
        return calls, tokens + (calls - 1) * answer
    waiting, room = calls, cutter.room(cutter.prompts.reduce)
    group = max(2, room // (answer + SEAM))
    while waiting > 1:
        merged = -(-waiting // group)
        tokens += waiting * (answer + SEAM) + merged * (count(cutter.prompts.reduce) + overhead)
        calls += merged
        waiting = merged
    return calls, tokens


def _scaled(sums: _Sums, first: Document, rest: Iterator[Document]) -> _Sums:
    """Scale the sample up by size; the documents themselves are counted."""
    total, count = sums.bytes, sums.documents
    for document in itertools.chain([first], rest):
        total += document.size
        count += 1
    scaled = sums.scaled(total / max(sums.bytes, 1))
    scaled.documents = count
    return scaled


def _plan(prepared: Prepared, cutter: Cutter, sums: _Sums, kinds: Mapping[str, int], *, exact: bool) -> Plan:
    stop, options = prepared.stops[0], prepared.options
    route = stop.route
    most = sums.calls * route.window.max_answer
    price = route.price
    fewest = sums.prompt_tokens if stop.tokenizer.exact else sums.prompt_tokens // CHARACTERS_A_TOKEN
    return Plan(
        provider=f"{route.provider}@{route.upstream}" if route.upstream else route.provider,
        model=route.model,
        context=route.window.context,
        tokenizer=route.tokenizer.split("/")[-1],
        tokenizer_exact=stop.tokenizer.exact,
        strategy=_explained(options.strategy, sums, cutter.room(stop.prompts.stuff)),
        documents=sums.documents,
        unreadable=sums.unreadable,
        unreadable_kinds=dict(kinds),
        characters=sums.characters,
        chunks=sums.chunks,
        calls=sums.calls,
        prompt_tokens=sums.prompt_tokens,
        completion_tokens=most,
        price_low=price.cost(fewest, round(most * SHORT_ANSWER)) if price else None,
        price_high=price.cost(sums.prompt_tokens, most) if price else None,
        price_source=_source(price),
        seconds=_seconds(prepared, stop, sums.calls, sums.prompt_tokens + most),
        exact=exact,
    )


def _source(price: Price | None) -> str | None:
    if price is None:
        return None
    return f"{price.source} ({price.checked})" if price.checked else price.source


def _explained(strategy: str, sums: _Sums, room: int) -> str:
    """Say which strategy `auto` takes for how many documents, and why: `room` tokens of text fit in one call."""
    if strategy != "auto":
        return strategy
    short = sums.documents - sums.unreadable - sums.long
    if not sums.long:
        return f"auto: every document fits in one call ({room:,} tokens of text)"
    if short <= 0:
        return f"auto: map-reduce, no document fits in one call ({room:,} tokens of text)"
    fits = f"{short:,} documents that fit in it ({room:,} tokens of text)"
    return f"auto: one call for {fits}, map-reduce for the {sums.long:,} others"


def _seconds(prepared: Prepared, stop: Stop, calls: int, tokens: int) -> float:
    """The longest of what the limits demand: requests, tokens, and calls in flight at a typical speed."""
    options, provider = prepared.options, stop.provider
    flight = calls / (options.concurrency or provider.concurrency) * provider.typical_seconds
    rpm, tpm = options.rpm or provider.requests_per_minute, options.tpm or provider.tokens_per_minute
    return max(flight, calls * 60 / rpm if rpm else 0.0, tokens * 60 / tpm if tpm else 0.0)
