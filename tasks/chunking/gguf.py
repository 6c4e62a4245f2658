"""The vocabulary inside a GGUF model file, as a tiktoken encoding.

Format: github.com/ggml-org/ggml, docs/gguf.md. llama.cpp splits the text by a
pattern that it knows by the file's `tokenizer.ggml.pre`; here are those of the
models that Docmill runs by itself.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tiktoken

from tasks.base.errors import UserMistake

# GPT-2's pattern with each digit on its own, as llama.cpp's `smollm` does it:
# it cuts out the digits first, so white space before one is whole.
PATTERNS = {
    "smollm": r"'s|'t|'re|'ve|'m|'ll|'d|\p{N}| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?=\p{N})|\s+(?!\S)|\s+",
}


# Without any special token, tiktoken looks for the empty word at every character. This one is
# made of noncharacters, and isn't allowed where texts are counted.
NO_TEXT = "\U0010ffff\U0010fffe"


def byte_pairs(path: Path) -> tiktoken.Encoding | None:
    """Build the encoding of a GGUF file, or None where its kind isn't known here."""
    fields = _fields(path)
    if fields is None:
        return None
    kind, pre = (_text(fields, f"tokenizer.ggml.{name}") for name in ("model", "pre"))
    if kind != "gpt2" or pre not in PATTERNS:
        return None
    ranks = _ranks(fields["tokenizer.ggml.merges"].contents())
    return encoding_of(path.stem, PATTERNS[pre], ranks)


def encoding_of(name: str, pattern: str, ranks: dict[bytes, int]) -> tiktoken.Encoding:
    """Return a byte-pair encoding that treats everything in a text as ordinary text."""
    return tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={NO_TEXT: len(ranks)})


def _fields(path: Path) -> Mapping[str, Any] | None:
    """Return a file's metadata, or None without the `local` extra; raises UserMistake for a damaged file."""
    try:
        from gguf import GGUFReader  # noqa: PLC0415 - only the `local` extra brings it
    except ImportError:
        return None
    try:
        return GGUFReader(path).fields
    except (ValueError, IndexError, OSError) as error:
        raise UserMistake(f"{path}: can't be read as a GGUF model file: {error}") from error


def _text(fields: Mapping[str, Any], name: str) -> str:
    field = fields.get(name)
    return str(field.contents()) if field is not None else ""


def _ranks(merges: list[str]) -> dict[bytes, int]:
    """Rank the 256 bytes first, then what each merge makes, in the order of the merges."""
    alphabet = _bytes_of_characters()
    ranks = {bytes([byte]): byte for byte in range(256)}
    for merge in merges:
        merged = bytes(alphabet[character] for character in merge.replace(" ", ""))
        ranks.setdefault(merged, len(ranks))
    return ranks


def _bytes_of_characters() -> dict[str, int]:
    """GPT-2's printable stand-ins for the 256 bytes (openai/gpt-2, encoder.py)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in printable]
    stand_ins = {chr(byte): byte for byte in printable}
    return stand_ins | {chr(256 + number): byte for number, byte in enumerate(hidden)}


def trained_context(path: Path) -> int | None:
    """Return the context that the model of a GGUF file was trained for, in tokens."""
    fields = _fields(path)
    if fields is None:
        return None
    length = _text(fields, _text(fields, "general.architecture") + ".context_length")
    return int(length) if length.isdigit() else None
