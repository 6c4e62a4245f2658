"""Natural English for the benchmarks, as texts, as a table, and as a folder of files."""

import pydoc_data.topics
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

# Of the shipped catalogue, with its own tokenizer.
MODEL = "mistral-nemo"
SIZE = 4000


def english(count: int, size: int = SIZE) -> Iterator[str]:
    """Yield texts of the prose about Python that comes with it, `size` characters each, no two alike."""
    luck = random.Random(7)
    whole = "\n\n".join(pydoc_data.topics.topics.values())
    paragraphs = [" ".join(one.split()) for one in re.split(r"\n\s*\n", whole) if len(one) > 200]
    for number in range(count):
        pieces, length = [f"{number}. "], 0
        while length < size:
            pieces.append(luck.choice(paragraphs))
            length += len(pieces[-1]) + 2
        yield "\n\n".join(pieces)[:size]


def write_table(path: Path, texts: Sequence[str]) -> None:
    """Write texts as a table of `id` and `text`."""
    ids = [f"{number:06d}" for number in range(len(texts))]
    pq.write_table(pa.table({"id": ids, "text": list(texts)}), path)


def write_documents(folder: Path, count: int, size: int = SIZE) -> None:
    """Write `count` files of `size` characters."""
    folder.mkdir()
    for number, text in enumerate(english(count, size)):
        (folder / f"{number:06d}.txt").write_text(text, encoding="utf-8")
