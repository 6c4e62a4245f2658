from collections.abc import Callable
from functools import cache
from hashlib import sha1
from pathlib import Path

import mistral_common
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mistral_common.tokens.tokenizers.sentencepiece import SentencePieceTokenizer
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

from tasks.base.errors import UserMistake
from tasks.chunking.boundaries import slices
from tasks.chunking.tokenizer import (
    BOUND,
    NAMES,
    OPENAI_BLOBS,
    SENTENCEPIECE,
    TEKKEN,
    load_tokenizer,
    tokenizer_for_unknown,
)

EXACT = (*SENTENCEPIECE, *TEKKEN)
SAMPLES = (
    "",
    " ",
    "Hello, world!",
    " leading and trailing \n",
    "\n\n\n",
    "tabs\t\tand   runs    of spaces",
    "1234567890 3.14159",
    "L'\u00e9t\u00e9, \u00e7a n'\u00e9tait pas gai: d\u00e9j\u00e0 \u0153uvre",
    "e\u0301 is not \u00e9",
    "\u543e\u8f29\u306f\u732b\u3067\u3042\u308b\u3002\u540d\u524d\u306f\u307e\u3060\u7121\u3044\u3002",
    "\u4e00\u5929, \u5f88\u957f\u5f88\u957f",
    "\uc548\ub155\ud558\uc138\uc694 \u0627\u0644\u0633\u0644\u0627\u0645 \u0928\u092e\u0938\u094d\u0924\u0947",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1ee\U0001f1f9 \U0001f44d\U0001f3fd",
    "<s> [INST] not special [/INST] </s>",
    "def f(x):\n    return {'a': [x ** 2 for _ in range(10)]}\n",
    "\0\x01\x7f\ufffd",
)


@cache
def own_count(name: str) -> Callable[[str], int]:
    """mistral-common's own counter of the same vocabulary."""
    path = Path(mistral_common.__file__).parent / "data" / (SENTENCEPIECE | TEKKEN)[name]
    raw = SentencePieceTokenizer(path) if name in SENTENCEPIECE else Tekkenizer.from_file(path)
    return lambda text: len(raw.encode(text, bos=False, eos=False))


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("text", SAMPLES)
def test_counts_are_those_of_mistral_common(name: str, text: str) -> None:
    assert load_tokenizer(name).count(text) == own_count(name)(text)


@pytest.mark.parametrize("name", EXACT)
@settings(deadline=None, max_examples=60)
@given(text=st.text(max_size=300))
def test_counts_of_any_text_are_those_of_mistral_common(name: str, text: str) -> None:
    assert load_tokenizer(name).count(text) == own_count(name)(text)


@pytest.mark.parametrize("name", TEKKEN)
def test_counting_in_slices_gives_the_count_of_the_whole(name: str) -> None:
    text = "The quick brown fox jumps over the lazy dog, and nobody minds. " * 4_000
    assert len(list(slices(text))) > 2
    assert load_tokenizer(name).count(text) == own_count(name)(text)


@pytest.mark.parametrize("name", EXACT)
@settings(deadline=None, max_examples=80)
@given(text=st.text(max_size=300))
def test_the_byte_bound_is_never_below_an_exact_count(name: str, text: str) -> None:
    assert load_tokenizer(BOUND).count(text) >= load_tokenizer(name).count(text)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("text", SAMPLES)
def test_the_byte_bound_is_never_below_an_exact_count_of_the_samples(name: str, text: str) -> None:
    assert load_tokenizer(BOUND).count(text) >= load_tokenizer(name).count(text)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_loads_once_and_says_whether_it_is_exact(name: str) -> None:
    tokenizer = load_tokenizer(name)
    assert tokenizer is load_tokenizer(name)
    assert tokenizer.exact is (name != BOUND)


@pytest.mark.parametrize("name", ["", "mistral", "Mistral-v1", "tekken", "utf8"])
def test_an_unknown_name_is_refused_with_the_names_there_are(name: str) -> None:
    with pytest.raises(UserMistake) as refused:
        load_tokenizer(name)
    assert repr(name) in str(refused.value)
    assert all(known in str(refused.value) for known in NAMES)


def test_a_million_spaces_are_counted_without_a_panic() -> None:
    assert 0 < load_tokenizer("tekken-240718").count(" " * 1_000_000) < 1_000_000


def test_a_model_of_no_known_encoding_is_counted_by_the_byte_bound() -> None:
    assert tokenizer_for_unknown("somebody/some-model") == BOUND


def test_an_encoding_counts_only_where_it_lies_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert tokenizer_for_unknown("gpt-4o") == BOUND
    url = OPENAI_BLOBS.format("o200k_base")
    (tmp_path / sha1(url.encode(), usedforsecurity=False).hexdigest()).touch()
    assert tokenizer_for_unknown("gpt-4o") == "tiktoken:o200k_base"
