"""The chunker against the bare tokenizer and two other chunkers, in one run.

`python -m tests.benchmarks.chunking`: tekken, chunks of 4,000 tokens that overlap by 200,
English prose (the words of Python's own manual, in random order within a paragraph: some
of the others remember the counts of pieces that come again, which documents don't have).
The others come with `pip install semchunk semantic-text-splitter`; each runs in a process
of its own, and is given up after PATIENCE times our time. The bare tokenizer, and what the
others count with, is tiktoken's `encode_ordinary`, as anybody would call it.
"""

import multiprocessing
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pydoc_data.topics import topics

from tasks.chunking.boundaries import slices
from tasks.chunking.splitter import split
from tasks.chunking.tokenizer import BytePairs, load_tokenizer

LIMIT, OVERLAP = 4000, 200
CASES = {"40 of 100 kB": (40, 100_000), "one of 4 MB": (1, 4_000_000), "one of 20 MB": (1, 20_000_000)}
ROUNDS = 5
PATIENCE = 40
Chunker = Callable[[str, BytePairs], object]


def main() -> None:
    """Print a row a case: medians of ROUNDS rounds in turn, the others once."""
    tokenizer = tekken()
    others: dict[str, Chunker] = {"semchunk": _semchunk, "semantic_text_splitter": _semantic}
    print(f"| MB/s | bare tokenizer | docmill | of bare | {' | '.join(f'times {name}' for name in others)} | fill |")
    print("|---|---|---|---|---|---|---|")
    ours: dict[str, float] = {}
    for case, (count, size) in CASES.items():
        texts = [prose(size, seed) for seed in range(count)]
        bare, mine = _medians(texts, tokenizer)
        ours[case] = mine
        chunks = [chunk.tokens for text in texts for chunk in list(split(text, LIMIT, tokenizer, OVERLAP))[:-2]]
        words = " | ".join(_times(name, chunker, texts, mine) for name, chunker in others.items())
        megabytes = count * size / 1e6
        print(
            f"| {case} | {megabytes / bare:.1f} | {megabytes / mine:.1f} | {bare / mine:.2f} | {words} "
            f"| {statistics.mean(chunks) / LIMIT:.1%} |",
            flush=True,
        )
    small, large = list(CASES)[-2:]
    print(f"time for {large} over {small}: {ours[large] / ours[small]:.2f}")


def prose(size: int, seed: int) -> str:
    """Return `size` characters of English."""
    paragraphs = [part for text in topics.values() for part in text.split("\n\n")]
    luck, parts, length = random.Random(seed), list[str](), 0
    while length < size:
        words = luck.choice(paragraphs).split(" ")
        luck.shuffle(words)
        parts.append(" ".join(words))
        length += len(parts[-1]) + 2
    return "\n\n".join(parts)[:size]


def _medians(texts: list[str], tokenizer: BytePairs) -> tuple[float, float]:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        times[0].append(_seconds(lambda text: _counted(text, tokenizer), texts))
        times[1].append(_seconds(lambda text: list(split(text, LIMIT, tokenizer, OVERLAP)), texts))
    return statistics.median(times[0]), statistics.median(times[1])


def tekken() -> BytePairs:
    """Return the tokenizer."""
    tokenizer = load_tokenizer("tekken-240718")
    assert isinstance(tokenizer, BytePairs)
    return tokenizer


def plainly(tokenizer: BytePairs, text: str) -> int:
    """Count a text as anybody would."""
    return len(tokenizer._encoding.encode_ordinary(text))


def _counted(text: str, tokenizer: BytePairs) -> int:
    """Count all of a text, in slices: tiktoken fails on some texts that are longer."""
    return sum(plainly(tokenizer, text[start:end]) for start, end, _ in slices(text))


def _seconds(work: Callable[[str], object], texts: list[str]) -> float:
    began = time.perf_counter()
    for text in texts:
        work(text)
    return time.perf_counter() - began


def _times(module: str, chunker: Chunker, texts: list[str], ours: float) -> str:
    """Return how many times as long another chunker takes."""
    if find_spec(module) is None:
        return "not installed"
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_child, args=(chunker, texts, answers))
    child.start()
    child.join(PATIENCE * ours)
    if child.is_alive():
        child.kill()
        return f"> {PATIENCE}"
    return f"{answers.get() / ours:.1f}" if child.exitcode == 0 else "failed"


def _child(chunker: Chunker, texts: list[str], answers: "multiprocessing.Queue[float]") -> None:
    tokenizer = tekken()
    answers.put(_seconds(lambda text: chunker(text, tokenizer), texts))


def _semchunk(text: str, tokenizer: BytePairs) -> object:
    return import_module("semchunk").chunkerify(partial(plainly, tokenizer), LIMIT)(text, overlap=OVERLAP)


def _semantic(text: str, tokenizer: BytePairs) -> object:
    splitter = import_module("semantic_text_splitter").TextSplitter.from_callback(
        partial(plainly, tokenizer), LIMIT, OVERLAP
    )
    return splitter.chunks(text)


if __name__ == "__main__":
    main()
