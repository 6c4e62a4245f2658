"""Texts to run jobs over."""

import random
from pathlib import Path

SENTENCE = "the river rose over night and carried boats timber grain salt letters away from its old harbour"
WORDS = SENTENCE.split()


def prose(characters: int, seed: object = 0) -> str:
    """Return sentences and paragraphs of exactly so many characters."""
    luck = random.Random(str(seed))
    sentences: list[str] = []
    size = 0
    while size < characters:
        sentence = " ".join(luck.choices(WORDS, k=luck.randint(4, 14))).capitalize() + luck.choice([". ", ".\n\n"])
        sentences.append(sentence)
        size += len(sentence)
    return "".join(sentences)[: characters - 1] + "."


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def fill(folder: Path, count: int, characters: int = 600) -> None:
    """Put so many different documents into a folder."""
    for number in range(count):
        put(folder, f"{number:03d}.txt", prose(characters, number))
