"""A bound on a text's tokens is never below their number, whatever the text, and costs no counting."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.chunking.tokenizer import NAMES, load_tokenizer, utf8_length

# What normalisers make longer, byte fallbacks, controls.
HARD = ["", " ", "\n\n  a", "\u0000", "ﷺ" * 9, "ﬃ½™", "e\u0301" * 20, "👩\u200d👩\u200d👧", "𐀀", "▁▁▁", "<s></s>"]


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)  # the first one loads the tokenizer
@given(text=st.one_of(st.text(), st.text(alphabet=st.characters(categories=("So", "Lo", "Mn", "Cc")))))
def test_no_text_has_more_tokens_than_its_bound(name: str, text: str) -> None:
    tokenizer = load_tokenizer(name)
    assert tokenizer.count(text) <= tokenizer.bound(text)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", HARD, ids=ascii)
def test_nor_has_one_that_is_hard_to_read(name: str, text: str) -> None:
    tokenizer = load_tokenizer(name)
    for times in (1, 50):
        assert tokenizer.count(text * times) <= tokenizer.bound(text * times)


@given(text=st.text(alphabet=st.characters(categories=("L", "S", "C"))))
def test_the_length_in_bytes_is_that_of_the_encoded_text(text: str) -> None:
    assert utf8_length(text) == len(text.encode("utf-8", "replace"))
