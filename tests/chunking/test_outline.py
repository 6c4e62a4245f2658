"""Chunks end where sections end, and carry the headings they stand under."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.chunking.outline import LONGEST_PATH, NO_OUTLINE, Outline
from tasks.chunking.splitter import Chunk, split
from tasks.chunking.tokenizer import load_tokenizer
from tasks.documents.document import Section
from tasks.documents.headings import markdown_sections
from tasks.documents.readers.code import read_code
from tests.chunking.test_split import Characters

BOOK = "".join(
    f"# Part {part}\n\n"
    + "".join(f"## Section {part}.{number}\n\n" + "Water ran over the wheel. " * 12 + "\n\n" for number in range(6))
    for part in range(4)
)


def cut(text: str, limit: int, tokenizer: str = "tekken-240718") -> list[Chunk]:
    return list(split(text, limit, load_tokenizer(tokenizer), outline=Outline(markdown_sections(text))))


def test_a_chunk_inside_a_section_carries_its_headings_and_one_that_begins_it_those_above() -> None:
    outline = Outline(markdown_sections(BOOK))
    inside = BOOK.index("Water", BOOK.index("## Section 2.3"))
    assert outline.heading(inside) == "Part 2 \u203a Section 2.3\n\n"
    assert outline.heading(BOOK.index("## Section 2.3")) == "Part 2\n\n"
    assert outline.heading(BOOK.index("# Part 2")) == ""
    assert outline.at(inside) == "Part 2 \u203a Section 2.3"
    assert NO_OUTLINE.heading(0) == NO_OUTLINE.at(0) == ""


@pytest.mark.parametrize("limit", [60, 150, 400])
def test_chunks_with_their_headings_are_within_the_limit_and_join_to_the_text(limit: int) -> None:
    chunks = cut(BOOK, limit)
    count = load_tokenizer("tekken-240718").count
    assert "".join(BOOK[chunk.start : chunk.end] for chunk in chunks) == BOOK
    assert [chunk.tokens for chunk in chunks] == [count(one.heading + BOOK[one.start : one.end]) for one in chunks]
    assert max(chunk.tokens for chunk in chunks) <= limit
    assert any(chunk.heading for chunk in chunks)


def test_a_chunk_ends_where_a_section_ends_where_that_is_near() -> None:
    chunks = cut(BOOK, 600)
    at_sections = [BOOK.startswith("#", chunk.start) for chunk in chunks]
    assert sum(at_sections) > 0.8 * len(chunks)


def test_a_heading_that_would_take_too_much_of_a_chunk_is_left_out() -> None:
    text = "# " + "A very long title of a part " * 3 + "\n\n" + "water " * 300
    assert all(chunk.heading == "" for chunk in cut(text, 60))
    assert any(chunk.heading for chunk in cut(text, 250))


def test_the_outermost_headings_are_left_out_of_a_path_without_end() -> None:
    sections = [Section(number * 10, number + 1, f"{number} " + "x" * 60) for number in range(50)]
    path = Outline(sections).at(495)
    assert path.endswith(sections[-1].title)
    assert len(path) <= LONGEST_PATH + 80


@settings(deadline=None, max_examples=200)
@given(
    text=st.text(st.sampled_from("# =\nab\u00e9\u0301\U0001f468\u200d\U0001f469"), min_size=1, max_size=300),
    limit=st.integers(16, 60),
    code=st.booleans(),
)
def test_the_laws_hold_for_any_text_and_sections(text: str, limit: int, code: bool) -> None:  # noqa: FBT001
    chunks = list(split(text, limit, Characters(), outline=Outline(markdown_sections(text), code=code)))
    assert "".join(text[chunk.start : chunk.end] for chunk in chunks) == text
    assert all(chunk.tokens == len(chunk.heading) + chunk.end - chunk.start <= limit for chunk in chunks)
    assert all(before.end == after.start for before, after in pairwise(chunks))


def functions(count: int, lines: int) -> str:
    body = "    total = total + 1  # counted\n" * lines
    return "".join(f"def function_{number}(total):\n{body}    return total\n\n\n" for number in range(count))


def test_code_is_cut_between_definitions_and_none_is_parted_that_fits() -> None:
    source = functions(40, 12)
    content = read_code(source.encode(), "a.py")
    starts = {section.start for section in content.sections}
    chunks = list(split(source, 300, load_tokenizer("mistral-v3"), outline=Outline(content.sections, code=True)))
    assert len(chunks) > 10
    assert all(chunk.start in starts for chunk in chunks)


def test_a_definition_larger_than_a_chunk_is_named_above_its_later_parts() -> None:
    source = functions(3, 200)
    content = read_code(source.encode(), "a.py")
    chunks = list(split(source, 300, load_tokenizer("mistral-v3"), outline=Outline(content.sections, code=True)))
    starts = {section.start for section in content.sections}
    inside = [chunk for chunk in chunks if chunk.start not in starts]
    assert inside
    assert all(chunk.heading.startswith("def function_") for chunk in inside)
