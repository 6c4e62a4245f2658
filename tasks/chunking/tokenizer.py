"""Count tokens by the model's own tokenizer.

The Mistral vocabularies are the files that the mistral-common wheel ships, so
nothing is downloaded. tekken's are byte-pair encodings that tiktoken reads, at
14 MB/s against 7 for mistral-common's own code and 5 for SentencePiece.
"""

import base64
import json
import os
import tempfile
from functools import lru_cache
from hashlib import sha1
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tiktoken
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor
from tiktoken.model import encoding_name_for_model

from tasks.base.errors import UserMistake
from tasks.chunking.boundaries import slices
from tasks.chunking.gguf import byte_pairs, encoding_of
from tasks.chunking.huggingface import HuggingFace

SENTENCEPIECE = {
    "mistral-v1": "tokenizer.model.v1",
    "mistral-v2": "mistral_instruct_tokenizer_240216.model.v2",
    "mistral-v3": "mistral_instruct_tokenizer_240323.model.v3",
    "mistral-v7": "mistral_instruct_tokenizer_241114.model.v7",
}
TEKKEN = {
    "tekken-240718": "tekken_240718.json",
    "tekken-240911": "tekken_240911.json",
}
BOUND = "utf8-bytes"
GGUF = "gguf:"
TIKTOKEN = "tiktoken:"
WORDLLAMA = "wordllama"
NAMES = (*SENTENCEPIECE, *TEKKEN, WORDLLAMA, BOUND)

Sizes = NDArray[np.int64]
OPENAI_BLOBS = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"


class Tokenizer(Protocol):
    """What the chunker needs of a tokenizer."""

    @property
    def exact(self) -> bool:
        """Whether counts are the model's own, not an upper bound."""
        ...

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`, special tokens apart."""
        ...

    def bound(self, text: str) -> int:
        """Return a number that the tokens of `text` never exceed, without counting them where that takes time."""
        ...

    def sizes(self, text: str) -> Sizes:
        """Return the UTF-8 bytes of each token of `text`: at most SLICE characters, from the start of a text or a seam.

        They add up to the bytes of `text`. For a tokenizer that isn't `exact`, `count` may exceed
        their number by a constant.
        """
        ...


class BytePairs:
    """A tiktoken encoding, counted in slices that end at seams."""

    exact = True

    def __init__(self, encoding: tiktoken.Encoding) -> None:
        self._encoding = encoding
        self._bytes = np.zeros(encoding.n_vocab, dtype=np.int64)
        for token in encoding.token_byte_values():
            self._bytes[encoding.encode_single_token(token)] = len(token)

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`."""
        return sum(len(self._tokens(text[start:end])) for start, end, _ in slices(text))

    def bound(self, text: str) -> int:
        """Return the bytes of `text`: no token of a byte-level vocabulary is less than one."""
        return utf8_length(text)

    def sizes(self, text: str) -> Sizes:
        """Return the bytes of each token of `text`."""
        found: Sizes = self._bytes[self._tokens(text)]
        return found

    def _tokens(self, text: str) -> NDArray[np.uint32]:
        """Return the tokens as an array; a list would be built under Python's lock."""
        found: NDArray[np.uint32] = self._encoding.encode_to_numpy(text, allowed_special=set(), disallowed_special=())
        return found


class SentencePieces:
    """A SentencePiece model."""

    exact = True

    def __init__(self, path: Path) -> None:
        self._processor = SentencePieceProcessor(model_file=str(path))
        pieces = range(self._processor.get_piece_size())
        self._bytes = np.array([_piece_bytes(self._processor, piece) for piece in pieces], dtype=np.int64)

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`."""
        return len(self._processor.encode(text))

    def bound(self, text: str) -> int:
        """Return the bytes of `text`, the space that is put first, and a normalised end."""
        return utf8_length(text) + 2

    def sizes(self, text: str) -> Sizes:
        """Return the bytes of each token of `text`; a leading space is left to SentencePiece, which adds one anyway."""
        follows = len(text) > 1 and text.startswith(" ")
        found: Sizes = self._bytes[np.array(self._processor.encode(text[1:] if follows else text), dtype=np.int64)]
        if found.size and not follows:
            found[0] -= 1
        return found


class ByteBound:
    """An upper bound for a model whose tokenizer can't be had.

    A byte-level or byte-fallback vocabulary never makes more tokens than there
    are UTF-8 bytes; two more for a leading space and a normalised end.
    """

    exact = False

    def count(self, text: str) -> int:
        """Return the number of UTF-8 bytes of `text`, plus two."""
        return utf8_length(text) + 2

    def bound(self, text: str) -> int:
        """Return the same: it is a bound already."""
        return self.count(text)

    def sizes(self, text: str) -> Sizes:
        """Return a size of one for each byte of `text`."""
        return np.ones(len(text.encode("utf-8", "replace")), dtype=np.int64)


def utf8_length(text: str) -> int:
    """Return the bytes of a text in UTF-8; of half a surrogate pair, those of the mark that stands for it."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


@lru_cache(maxsize=8)
def load_tokenizer(name: str) -> Tokenizer:
    """Return the tokenizer of that name, loaded once a process.

    `name` is one of NAMES, `gguf:PATH` for the vocabulary inside a model file,
    or `tiktoken:ENCODING`. Raises UserMistake for any other name.
    """
    if name in SENTENCEPIECE:
        return SentencePieces(_shipped(SENTENCEPIECE[name]))
    if name in TEKKEN:
        return BytePairs(_tekken(_shipped(TEKKEN[name])))
    if name.startswith(TIKTOKEN):
        return BytePairs(tiktoken.get_encoding(name.removeprefix(TIKTOKEN)))
    if name.startswith(GGUF):
        pairs = byte_pairs(Path(name.removeprefix(GGUF)))
        return BytePairs(pairs) if pairs else ByteBound()
    if name == WORDLLAMA:
        return HuggingFace(_in_package("wordllama", "tokenizers", "l2_supercat_tokenizer_config.json"))
    if name == BOUND:
        return ByteBound()
    raise UserMistake(f"no tokenizer is called {name!r}: one of {', '.join(NAMES)}")


def tokenizer_for_unknown(model: str) -> str:
    """Name the tokenizer for a model outside the catalogue.

    tiktoken's own encodings are downloaded at first use: they count only where
    they lie in its cache already. Otherwise the byte bound.
    """
    try:
        encoding = encoding_name_for_model(model)
    except KeyError:
        return BOUND
    folder = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    cache = Path(folder) if folder else Path(tempfile.gettempdir()) / "data-gym-cache"
    blob = sha1(OPENAI_BLOBS.format(encoding).encode(), usedforsecurity=False).hexdigest()
    return TIKTOKEN + encoding if (cache / blob).exists() else BOUND


def _piece_bytes(processor: Any, piece: int) -> int:
    """The bytes that a piece stands for; its space mark is one space."""
    if processor.is_byte(piece):
        return 1
    return len(str(processor.id_to_piece(piece)).replace("\u2581", " ").encode())


def _shipped(name: str) -> Path:
    return _in_package("mistral_common", "data", name)


def _in_package(package: str, *names: str) -> Path:
    """Locate a package's file without importing it, which may take a second."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        fix = "pip install 'docmill[local]'" if package == WORDLLAMA else "install docmill again"
        raise UserMistake(f"the {package.replace('_', '-')} package isn't installed: {fix}")
    return Path(spec.origin).parent.joinpath(*names)


def _tekken(path: Path) -> tiktoken.Encoding:
    """Build the encoding as mistral-common does: the first tokens of the file are its ranks."""
    data = json.loads(path.read_text(encoding="utf-8"))
    config = data["config"]
    size = config["default_vocab_size"] - config["default_num_special_tokens"]
    ranks = {base64.b64decode(token["token_bytes"]): token["rank"] for token in data["vocab"][:size]}
    return encoding_of(path.stem, config["pattern"], ranks)
