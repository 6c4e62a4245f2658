"""Documents read and cut by one process and by two, as workers do it.

`python -m tests.benchmarks.cutting`: tekken, chunks of 512 tokens with their texts, 800 documents of
100 kB of English. The reference is one process on one core; beside it stands one process that has
all cores, as its tokenizer works without Python's lock.
"""

import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tasks.chunking.splitter import split
from tests.benchmarks.chunking import prose, tekken

LIMIT, DOCUMENTS, SIZE, ROUNDS = 512, 800, 100_000, 3


def main() -> None:
    """Print the medians of ROUNDS rounds in turn."""
    cores = sorted(os.sched_getaffinity(0))[:2]
    kinds = {
        "one process, one core": [cores[:1]],
        "one process, two cores": [cores],
        "two processes": [[core] for core in cores],
    }
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(ROUNDS):
        for kind, places in kinds.items():
            seconds[kind].append(_together(places))
    reference = statistics.median(seconds["one process, one core"])
    print("| | MB/s | times one process on one core |\n|---|---|---|")
    for kind, all_seconds in seconds.items():
        took = statistics.median(all_seconds)
        print(f"| {kind} | {DOCUMENTS * SIZE / 1e6 / took:.1f} | {reference / took:.2f} |")


def _together(places: list[list[int]]) -> float:
    """Return the seconds that processes on these cores take to cut all documents between them."""
    with ProcessPoolExecutor(len(places), get_context("spawn")) as pool:
        list(pool.map(_ready, places))
        return max(pool.map(_cut, [DOCUMENTS // len(places)] * len(places)))


def _ready(cores: list[int]) -> int:
    """Load what is needed, on these cores."""
    os.sched_setaffinity(0, cores)
    _cut(2)
    time.sleep(0.5)  # so that every process gets one of these
    return os.getpid()


def _cut(documents: int) -> float:
    tokenizer = tekken()
    texts = [prose(SIZE, seed) for seed in range(min(documents, 40))]
    began = time.monotonic()
    for number in range(documents):
        text = texts[number % len(texts)]
        for chunk in split(text, LIMIT, tokenizer):
            _ = text[chunk.start : chunk.end]
    return time.monotonic() - began


if __name__ == "__main__":
    main()
