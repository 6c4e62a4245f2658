"""The chunker's laws under tiktoken's own encodings.

Their vocabularies are downloaded at first use, so they are tried where they lie in tiktoken's
cache. Their patterns, which decide where tokens never cross, are tried always: over another
vocabulary of byte pairs.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from tiktoken_ext import openai_public

from tasks.chunking.boundaries import SEAM
from tasks.chunking.gguf import encoding_of
from tasks.chunking.splitter import split
from tasks.chunking.tokenizer import BOUND, BytePairs, Tokenizer, load_tokenizer, tokenizer_for_unknown
from tests.chunking.test_split import TEXTS, assert_lawful

MODELS = {"cl100k_base": "gpt-4", "o200k_base": "gpt-4o", "p50k_base": "text-davinci-003"}


@pytest.fixture(scope="module", params=MODELS)
def patterned(request: pytest.FixtureRequest) -> Tokenizer:
    """One of tiktoken's patterns over the first merges of tekken."""
    tekken = load_tokenizer("tekken-240718")
    assert isinstance(tekken, BytePairs)
    words = tekken._encoding.token_byte_values()
    ranks = {word: tekken._encoding.encode_single_token(word) for word in words}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(openai_public, "load_tiktoken_bpe", lambda *_, **__: {})
        constructor: Callable[[], dict[str, Any]] = openai_public.ENCODING_CONSTRUCTORS[request.param]
        pattern = str(constructor()["pat_str"])
    return BytePairs(encoding_of(request.param, pattern, ranks))


def downloaded(name: str) -> Tokenizer:
    """Return an encoding of tiktoken's own, or skip the test where it isn't in the cache."""
    found = tokenizer_for_unknown(MODELS[name])
    if found == BOUND:
        pytest.skip(f"{name} isn't in tiktoken's cache (TIKTOKEN_CACHE_DIR)")
    return load_tokenizer(found)


def assert_seams(tokenizer: Tokenizer, text: str) -> None:
    places = [0, *(match.start() for match in SEAM.finditer(text)), len(text)]
    sizes = [tokenizer.sizes(text[start:end]) for start, end in pairwise(places)]
    assert sum(map(len, sizes)) == tokenizer.count(text)


@settings(deadline=None, max_examples=150)
@given(text=TEXTS, limit=st.integers(16, 80))
def test_any_text_is_cut_lawfully_under_tiktokens_patterns(patterned: Tokenizer, text: str, limit: int) -> None:
    assert_lawful(text, list(split(text, limit, patterned)), limit, patterned.count)
    assert_seams(patterned, text)


@pytest.mark.parametrize("name", MODELS)
@settings(deadline=None, max_examples=150)
@given(text=TEXTS, limit=st.integers(16, 80))
def test_any_text_is_cut_lawfully_by_tiktokens_own_encodings(name: str, text: str, limit: int) -> None:
    tokenizer = downloaded(name)
    assert_lawful(text, list(split(text, limit, tokenizer)), limit, tokenizer.count)
    assert_seams(tokenizer, text)


def test_words_that_are_special_elsewhere_are_text(patterned: Tokenizer) -> None:
    text = "<|endoftext|> and \U0010ffff\U0010fffe and <|im_start|>"
    assert patterned.count(text) == len(tiktoken_tokens(patterned, text)) > 8


def tiktoken_tokens(tokenizer: Tokenizer, text: str) -> list[int]:
    assert isinstance(tokenizer, BytePairs)
    encoding: tiktoken.Encoding = tokenizer._encoding
    return encoding.encode_ordinary(text)
