"""How long calls took in earlier runs of a result set, by route and size of the prompt."""

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tasks.calls.estimate import CHARACTERS_A_TOKEN
from tasks.models.ranking import SIZES
from tasks.results.footers import each
from tasks.results.location import Folder
from tasks.results.parts import Damaged, read_part

COLUMNS = ["provider", "served_by", "model", "latency_ms", "prompt_tokens", "reused"]
# The latest parts tell enough.
MOST_PARTS = 20
# A provider, the one behind it where it is an aggregator, and a model.
Key = tuple[str, str | None, str]


def latencies(folder: Folder, aggregators: Collection[str]) -> Mapping[Key, tuple[float | None, ...]]:
    """Return the mean seconds of each route's calls by prompt size (ranking.SIZES), then over all.

    Raises StorageFailed.
    """
    seconds: dict[Key, list[list[float]]] = defaultdict(lambda: [[] for _ in (*SIZES, 0)])
    for provider, served_by, model, milliseconds, tokens, reused in _rows(folder):
        if not reused and milliseconds:
            upstream = str(served_by).lower() if served_by and provider in aggregators else None
            groups = seconds[str(provider), upstream, str(model)]
            groups[_size(int(tokens or 0))].append(milliseconds / 1000)
            groups[-1].append(milliseconds / 1000)
    return {key: tuple(_mean(group) for group in groups) for key, groups in seconds.items()}


def _rows(folder: Folder) -> Iterator[tuple[str, str | None, str, int, int, bool]]:
    for columns in each(lambda name: _columns(folder, name), list(folder.parts("calls"))[-MOST_PARTS:]):
        yield from zip(*columns, strict=True)


def _columns(folder: Folder, name: str) -> list[list[Any]]:
    with contextlib.suppress(Damaged):  # it tells nothing
        return list(read_part(folder, name, COLUMNS).to_pydict().values())
    return []


def _size(tokens: int) -> int:
    characters = tokens * CHARACTERS_A_TOKEN
    return next((number for number, size in enumerate(SIZES) if characters <= size), len(SIZES) - 1)


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
