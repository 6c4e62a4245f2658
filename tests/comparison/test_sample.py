"""The sample: of all sizes, always the same, and of documents that can be read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.base.errors import UserMistake
from tasks.comparison.document_sample import spread, take_sample
from tasks.documents.document import Document
from tasks.documents.listing import list_documents
from tests.jobs.texts import prose, put


def sizes_of(texts: dict[str, str]) -> Iterator[Document]:
    return (Document(name, name, len(text), text=text) for name, text in texts.items())


def test_each_tenth_of_the_sizes_is_stood_for_by_its_middle() -> None:
    sizes = [(number * 37) % 1000 + 1 for number in range(1000)]  # 1 to 1,000, shuffled
    found = [sizes[group[0]] for group in spread(sizes, 10)]
    assert found == [51 + 100 * number for number in range(10)]


def test_a_source_that_is_no_larger_is_taken_whole() -> None:
    texts = {f"{number}": "x" * (number + 1) for number in range(7)}
    assert take_sample(lambda: sizes_of(texts), 10).names == tuple(texts)


def test_the_sample_is_in_the_order_of_the_source_and_the_same_each_time() -> None:
    texts = {f"{number}": prose(100 + number * 7919 % 500, number) for number in range(60)}
    first, again = (take_sample(lambda: sizes_of(texts), 8) for _ in range(2))
    assert first == again
    assert list(first.names) == sorted(first.names, key=int)
    assert (len(first.names), first.of) == (8, 60)
    assert first.characters == {name: len(texts[name]) for name in first.names}


def test_long_documents_are_in_it_however_few_they_are_among_ten(folder: Path) -> None:
    for number in range(9):
        put(folder, f"short-{number}.txt", prose(500, number))
    put(folder, "long.txt", prose(60_000))
    assert "long.txt" in take_sample(lambda: list_documents([str(folder)]), 10).names


def test_a_document_that_cannot_be_read_gives_its_place_to_the_next_in_size(folder: Path) -> None:
    for number in range(30):
        put(folder, f"{number:02d}.txt", prose(1000 + number, number))
    for number in (4, 14, 24):  # the middles of three thirds
        (folder / f"{number:02d}.txt").write_bytes(bytes(range(256)) * 4 + bytes(number))
    for number in range(5):
        (folder / f"empty-{number}.txt").touch()
    names = take_sample(lambda: list_documents([str(folder)]), 3).names
    assert len(names) == 3
    assert not {"04.txt", "14.txt", "24.txt"} & set(names)


def test_a_source_that_cannot_be_read_is_a_mistake_that_says_so(folder: Path) -> None:
    (folder / "binary.bin").write_bytes(bytes(range(256)) * 8)
    with pytest.raises(UserMistake, match="no sample of 1 documents can be read"):
        take_sample(lambda: list_documents([str(folder)]), 3)
