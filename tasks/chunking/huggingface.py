"""A vocabulary in Hugging Face's JSON, of the kind that Llama's SentencePiece models are turned into."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MARK = "\u2581"  # stands for a space
BYTE = re.compile(r"<0x[0-9A-F]{2}>")


class HuggingFace:
    """Byte pairs with fallback to bytes; a space is put before the text, as SentencePiece does."""

    exact = True

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer  # noqa: PLC0415 - only the `local` extra brings it

        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.encode_special_tokens = True  # `<s>` in a text is text
        size = self._tokenizer.get_vocab_size()
        self._bytes = np.array([_bytes(str(self._tokenizer.id_to_token(piece))) for piece in range(size)])

    def count(self, text: str) -> int:
        """Return the number of tokens of `text`."""
        return len(self._ids(text))

    def bound(self, text: str) -> int:
        """Return the exact count: normalising may make a text longer."""
        return self.count(text)

    def sizes(self, text: str) -> NDArray[np.int64]:
        """Return the bytes of each token of `text`; a leading space is left to the tokenizer, which adds one anyway."""
        follows = len(text) > 1 and text.startswith(" ")
        found: NDArray[np.int64] = self._bytes[self._ids(text[1:] if follows else text)]
        if found.size and not follows:
            found[0] -= 1
        return found

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _bytes(token: str) -> int:
    """The bytes that a token stands for; its space mark is one space."""
    return 1 if BYTE.fullmatch(token) else len(token.replace(MARK, " ").encode())
