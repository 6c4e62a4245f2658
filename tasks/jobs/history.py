"""How long calls took in earlier runs of a result set, by route and size of the prompt."""

import contextlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.jobs.expect import CHARACTERS_A_TOKEN
from tasks.routing.catalogue import AGGREGATOR
from tasks.routing.ranking import SIZES

COLUMNS = ["provider", "served_by", "model", "latency_ms", "prompt_tokens", "reused"]
# The latest parts tell enough.
MOST_PARTS = 20
# A provider, the one behind it where it is an aggregator, and a model.
Key = tuple[str, str | None, str]


def latencies(output: Path) -> Mapping[Key, tuple[float | None, ...]]:
    """Return the mean seconds of each route's calls by prompt size (ranking.SIZES), then over all."""
    seconds: dict[Key, list[list[float]]] = defaultdict(lambda: [[] for _ in (*SIZES, 0)])
    for provider, served_by, model, milliseconds, tokens, reused in _rows(output):
        if not reused and milliseconds:
            upstream = str(served_by).lower() if served_by and provider == AGGREGATOR else None
            groups = seconds[str(provider), upstream, str(model)]
            groups[_size(int(tokens or 0))].append(milliseconds / 1000)
            groups[-1].append(milliseconds / 1000)
    return {key: tuple(_mean(group) for group in groups) for key, groups in seconds.items()}


def _rows(output: Path) -> Iterator[tuple[str, str | None, str, int, int, bool]]:
    parts = sorted((output / "calls").glob("part-*.parquet"))[-MOST_PARTS:]
    for part in parts:
        with contextlib.suppress(OSError, pa.ArrowException):  # a damaged part tells nothing
            yield from zip(*pq.read_table(part, columns=COLUMNS).to_pydict().values(), strict=True)


def _size(tokens: int) -> int:
    characters = tokens * CHARACTERS_A_TOKEN
    return next((number for number, size in enumerate(SIZES) if characters <= size), len(SIZES) - 1)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
