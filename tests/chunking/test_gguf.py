from pathlib import Path

import pytest
from gguf import GGUFWriter
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.chunking.gguf import byte_pairs, trained_context
from tasks.chunking.tokenizer import load_tokenizer

# GPT-2 writes a space as Ġ and the other bytes outside printable ASCII by stand-ins, too.
MERGES = ["a b", "ab c", "\u0120 a", "\u0120a b", "1 2"]


def written(path: Path, *, kind: str = "gpt2", pre: str = "smollm", context: int | None = 8192) -> Path:
    writer = GGUFWriter(path, "llama")
    if context is not None:
        writer.add_context_length(context)
    writer.add_tokenizer_model(kind)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(["a", "b", "c", *(merge.replace(" ", "") for merge in MERGES)])
    writer.add_token_merges(MERGES)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("abc", 1), ("abcab", 2), ("cab", 2), (" ab", 1), ("c ab", 2), ("12", 2), ("\u6f22", 3), ("a\n", 2)],
)
def test_a_text_is_merged_in_the_order_of_the_files_merges(model: Path, text: str, tokens: int) -> None:
    tokenizer = load_tokenizer(f"gguf:{model}")
    assert tokenizer.exact
    assert tokenizer.count(text) == tokens


@settings(deadline=None, max_examples=100)
@given(text=st.text(max_size=200))
def test_any_text_is_encoded_without_loss(model: Path, text: str) -> None:
    pairs = byte_pairs(model)
    assert pairs is not None
    assert pairs.decode(pairs.encode_ordinary(text)) == text


@pytest.mark.parametrize(("kind", "pre"), [("llama", "smollm"), ("gpt2", "something-new")])
def test_a_vocabulary_of_a_kind_not_known_here_is_counted_by_the_bound(tmp_path: Path, kind: str, pre: str) -> None:
    path = written(tmp_path / "other.gguf", kind=kind, pre=pre)
    assert byte_pairs(path) is None
    tokenizer = load_tokenizer(f"gguf:{path}")
    assert not tokenizer.exact
    assert tokenizer.count("abc") >= 3


def test_the_context_is_what_the_model_was_trained_for(tmp_path: Path, model: Path) -> None:
    assert trained_context(model) == 8192
    assert trained_context(written(tmp_path / "untold.gguf", context=None)) is None
