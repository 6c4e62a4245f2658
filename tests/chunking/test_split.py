from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasks.base.errors import DocumentFailed
from tasks.chunking.boundaries import SEAM
from tasks.chunking.splitter import Chunk, split
from tasks.chunking.tokenizer import BOUND, NAMES, Sizes, Tokenizer, load_tokenizer

TOKENIZERS = ("mistral-v1", "tekken-240718", BOUND)
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
PIECES = (
    "word", "a", "I", " ", "  ", "\t", "\n", "\n\n", "\n \n", ". ", "! ", "?", "\u3002", "\u3001", "\u6f22\u5b57",
    "e\u0301", "\ud55c\uad6d", FAMILY, "\U0001f44d\U0001f3fd", "\0", "\u2028", "\u00a0", "0123456789", "<s>", "[INST]",
    "\r\n",
)  # fmt: skip
# Each of these must stay whole; the longest is 25 UTF-8 bytes.
GRAPHEMES = (
    "a",
    "b",
    "\u6f22",
    "e\u0301",
    "o\u0302\u0323",
    "\u304b\u3099",
    FAMILY,
    "\U0001f44d\U0001f3fd",
    "\u2764\ufe0f",
    "\u2764\ufe0f\u200d\U0001f525",
    "\U0001f3f4\U000e0067\U000e0062\U000e007f",
    "\U0001f1ee\U0001f1f9",
    "\u1112\u1161\u11ab",
    "\u0915\u094d\u0937\u093f",
    "\r\n",
    " \u0301",
    "\u3002\ufe00",
)
PROSE = (
    "It was a bright cold day in April, and the clocks were striking thirteen. Nobody looked up.\n"
    "\u00abPerch\u00e9 no?\u00bb disse il vecchio; \u5f7c\u306f\u7b11\u3063\u305f\u3002 The 2nd of 1,024 lines.\n\n"
)
UNITS = st.lists(st.integers(1, 40).map(lambda length: "x" * length), min_size=1, max_size=100)
TEXTS = st.one_of(st.text(max_size=400), st.lists(st.sampled_from(PIECES), max_size=300).map("".join))


class Characters:
    """Each character is a token."""

    exact = True

    def count(self, text: str) -> int:
        return len(text)

    def bound(self, text: str) -> int:
        return len(text)

    def sizes(self, text: str) -> Sizes:
        return np.array([len(letter.encode()) for letter in text], dtype=np.int64)


class Recorder:
    """Another tokenizer that remembers how many characters it was given."""

    exact = True

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.characters = 0

    def count(self, text: str) -> int:
        self.characters += len(text)
        return self._tokenizer.count(text)

    def bound(self, text: str) -> int:
        return self._tokenizer.bound(text)

    def sizes(self, text: str) -> Sizes:
        self.characters += len(text)
        return self._tokenizer.sizes(text)


def assert_lawful(text: str, chunks: list[Chunk], limit: int, count: Callable[[str], int]) -> None:
    parts = [text[chunk.start : chunk.end] for chunk in chunks]
    assert "".join(parts) == text
    if text:
        assert chunks[0].start == 0
        assert chunks[-1].end == len(text)
    assert all(before.end == after.start for before, after in pairwise(chunks))
    assert all(chunk.start < chunk.end for chunk in chunks)
    counted = [count(part) for part in parts]
    assert [chunk.tokens for chunk in chunks] == counted
    assert max(counted, default=0) <= limit


def cut(text: str, limit: int) -> list[str]:
    """The chunks where each character is a token."""
    return [text[chunk.start : chunk.end] for chunk in split(text, limit, Characters())]


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=80)
@given(text=TEXTS, limit=st.integers(16, 80))
def test_any_text_is_covered_once_in_order_and_within_the_limit(name: str, text: str, limit: int) -> None:
    tokenizer = load_tokenizer(name)
    assert_lawful(text, list(split(text, limit, tokenizer)), limit, tokenizer.count)


@settings(deadline=None, max_examples=150)
@given(text=TEXTS, limit=st.integers(1, 30))
def test_the_laws_hold_for_the_smallest_limits_too(text: str, limit: int) -> None:
    assert_lawful(text, list(split(text, limit, Characters())), limit, len)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=80)
@given(text=TEXTS)
def test_the_tokens_of_a_text_are_those_of_its_parts_between_seams(name: str, text: str) -> None:
    tokenizer = load_tokenizer(name)
    places = [0, *(match.start() for match in SEAM.finditer(text)), len(text)]
    parts = [text[start:end] for start, end in pairwise(places)]
    sizes = [tokenizer.sizes(part) for part in parts]
    if text:
        # Counted alone, a text that begins with a space may take a token more.
        assert tokenizer.count(parts[0]) + sum(map(len, sizes[1:])) == tokenizer.count(text)
    assert [int(size.sum()) for size in sizes] == [len(part.encode()) for part in parts]


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=60)
@given(words=st.lists(st.sampled_from((*PIECES, PROSE)), min_size=40, max_size=150), overlap=st.integers(1, 30))
def test_chunks_overlap_by_no_more_than_was_asked_for_and_still_cover_the_text(
    name: str, words: list[str], overlap: int
) -> None:
    text, tokenizer = " ".join(words), load_tokenizer(name)
    chunks = list(split(text, 60, tokenizer, overlap))
    assert (chunks[0].start, chunks[-1].end) == (0, len(text))
    for before, after in pairwise(chunks):
        assert before.start < after.start <= before.end < after.end
    for chunk in chunks:
        assert chunk.tokens == tokenizer.count(text[chunk.start : chunk.end]) <= 60


@settings(deadline=None, max_examples=100)
@given(units=UNITS, overlap=st.integers(1, 20))
def test_an_overlap_is_as_large_as_its_boundaries_allow(units: list[str], overlap: int) -> None:
    text = " ".join(units)
    for before, after in pairwise(split(text, 80, Characters(), overlap)):
        repeated = before.end - after.start
        assert repeated <= overlap
        # It begins at the first word that it has room for, if there is one.
        words = [place for place in range(before.end - overlap, before.end) if text[place - 1] == " "]
        assert after.start == (words[0] if words else before.end - overlap)


def test_an_overlap_begins_with_a_sentence_in_its_first_half() -> None:
    text = "x" * 38 + ". Aaa bbb ccc ddd eee " + "y" * 60
    chunks = list(split(text, 62, Characters(), 30))
    assert text[chunks[1].start :].startswith("Aaa bbb")


def test_more_overlap_than_half_of_the_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="overlap of 51"):
        list(split("text", 100, Characters(), 51))


@settings(deadline=None, max_examples=100)
@given(length=st.integers(101, 1000))
def test_chunks_are_full_but_the_last_two_share_what_is_left(length: int) -> None:
    lengths = [len(chunk) for chunk in cut("x" * length, 100)]
    assert all(length == 100 for length in lengths[:-2])
    assert lengths[-1] <= lengths[-2] <= lengths[-1] * 1.2 + 4


def test_an_empty_text_has_no_chunks() -> None:
    assert list(split("", 10, Characters())) == []


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_text_that_fits_is_one_chunk(name: str) -> None:
    text = PROSE * 40
    tokens = load_tokenizer(name).count(text)
    assert list(split(text, tokens, load_tokenizer(name))) == [Chunk(0, len(text), tokens)]


@pytest.mark.parametrize("limit", [0, -5, 3])
def test_a_limit_smaller_than_a_character_fails_the_document_by_name(limit: int) -> None:
    with pytest.raises(DocumentFailed) as failed:
        list(split("\u6f22\u5b57" * 10, limit, load_tokenizer(BOUND)))
    assert failed.value.reason == "does_not_fit"


def test_a_limit_of_one_character_cuts_into_characters() -> None:
    assert cut("abc", 1) == ["a", "b", "c"]


@pytest.mark.parametrize("separator", ["\n\n", "\n \t\n", "\n", ". ", "! ", "?\u201d ", "\u3002", "; ", " ", "\u3001"])
@settings(deadline=None, max_examples=40)
@given(units=UNITS)
def test_units_shorter_than_what_may_be_given_up_are_never_cut(separator: str, units: list[str]) -> None:
    text = separator.join(units)
    assert all(chunk.endswith(separator) for chunk in cut(text, 640)[:-1])


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        ("aaa bbb\n", "# Title\n\nCc"),
        ("Aa bb.\n\n", "Aa bb.\nCc"),
        ("Aa bb cc.\n", "Dd. Ee"),
        ("Aa bb ccc. ", "Dd, ee"),
        ("Aa bb, ", "ccc dd"),
        ("Aa bb ", "dddddddddddd"),
        ("A" * 20, "A" * 30),
    ],
    ids=["heading", "paragraph", "line", "sentence", "clause", "word", "character"],
)
def test_the_best_boundary_near_the_end_wins(first: str, rest: str) -> None:
    filling = "f" * (100 - 14) if "A" * 20 not in first else "f" * 80
    assert cut(filling + first + rest + "z" * 300, 100)[0] == filling + first


def test_a_boundary_too_far_from_the_end_is_too_dear_to_take() -> None:
    assert cut("Aa.\n\n" + "b" * 95 + "c" * 300, 100)[0] == "Aa.\n\n" + "b" * 95


@settings(deadline=None, max_examples=150)
@example(graphemes=[FAMILY, "\u0915\u094d\u0937\u093f"], limit=36)
@given(graphemes=st.lists(st.sampled_from(GRAPHEMES), min_size=1, max_size=80), limit=st.integers(36, 90))
def test_no_cut_falls_inside_a_grapheme_that_fits(graphemes: list[str], limit: int) -> None:
    text = "".join(graphemes)
    ends = {0}
    for grapheme in graphemes:
        ends.add(max(ends) + len(grapheme))
    chunks = list(split(text, limit, load_tokenizer(BOUND)))
    assert {chunk.end for chunk in chunks} <= ends


@pytest.mark.parametrize("grapheme", GRAPHEMES, ids=ascii)
def test_graphemes_of_which_no_two_fit_are_cut_one_by_one(grapheme: str) -> None:
    assert cut(grapheme * 20, 2 * len(grapheme) - 1) == [grapheme] * 20


@pytest.mark.parametrize(
    ("grapheme", "limit", "text"),
    [
        ("\r\n", 10, "aaaa bbbb\r\ncccc dddd"),
        ("\r\n", 39, ("word " * 7 + "end\r\n") * 200),
        (" \u0301", 8, "abcdefg \u0301 bcdefg"),
        ("\u3002\ufe00", 9, "\u6f22" * 7 + "\u3002\ufe00" + "\u5b57" * 9),
    ],
    ids=["CRLF", "lines that end with CRLF", "a space and its mark", "a full stop and its variation selector"],
)
def test_a_boundary_that_parts_a_grapheme_is_none(grapheme: str, limit: int, text: str) -> None:
    chunks = cut(text, limit)
    assert len(chunks) > 1
    assert sum(chunk.count(grapheme) for chunk in chunks) == text.count(grapheme)


def test_a_grapheme_larger_than_the_limit_is_cut_rather_than_lost() -> None:
    text = "a" + "\u0301" * 50
    chunks = list(split(text, 10, Characters()))
    assert_lawful(text, chunks, 10, len)
    assert len(chunks) == 6


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize("unit", [PROSE, "\u6f22\u5b57\u4eee\u540d\u4ea4\u3058\u308a\u6587\u3002", "abcdefghij"])
def test_the_characters_counted_grow_linearly_with_the_text(name: str, unit: str) -> None:
    ratios = []
    for size in (10_000, 50_000, 200_000):
        text = (unit * (size // len(unit) + 1))[:size]
        recorder = Recorder(load_tokenizer(name))
        chunks = list(split(text, 500, recorder))
        assert len(chunks) > 1
        ratios.append(recorder.characters / size)
    assert max(ratios) <= (1.7 if " " in unit else 5)
    assert max(ratios) <= 1.5 * min(ratios)


@settings(deadline=None, max_examples=30)
@given(pieces=st.lists(st.sampled_from((PROSE, "x", "\u6f22", "\n", FAMILY)), min_size=1, max_size=12))
def test_the_characters_counted_grow_linearly_with_a_mixed_text(pieces: list[str]) -> None:
    ratios = []
    for times in (30, 120):
        text = "".join(pieces) * times
        recorder = Recorder(load_tokenizer("tekken-240718"))
        list(split(text, 200, recorder))
        ratios.append(recorder.characters / len(text))
    assert ratios[1] <= 1.5 * ratios[0] + 1
    assert max(ratios) <= 5


@pytest.mark.parametrize("name", TOKENIZERS)
@pytest.mark.parametrize(
    "text",
    [
        " " * 1_000_000,
        "\n" * 1_000_000,
        "abcdefghij" * 100_000,
        "a" * 1_000_000,
        "\u6f22\u5b57\u4eee\u540d\u4ea4\u3058\u308a\u6587\u3002" * 20_000,
        FAMILY * 20_000,
    ],
    ids=["1M spaces", "1M newlines", "1 MB without a space", "1 MB of one letter", "CJK", "emoji"],
)
def test_hard_inputs_are_cut_lawfully_and_in_linear_work(name: str, text: str) -> None:
    recorder = Recorder(load_tokenizer(name))
    chunks = list(split(text, 2000, recorder))
    assert_lawful(text, chunks, 2000, load_tokenizer(name).count)
    assert recorder.characters <= 5 * len(text)
    assert sum(chunk.tokens for chunk in chunks) >= 0.84 * 2000 * (len(chunks) - 2)
