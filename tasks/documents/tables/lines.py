"""The lines of a text of any encoding, streamed."""

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO

from tasks.documents.encodings.decode import JAPANESE_MAIL, guessed, marked

BLOCK = 1024 * 1024
FEW_ZEROS = 10
LONGEST = 256 * 1024 * 1024  # characters


def lines(file: BinaryIO) -> Iterator[str]:
    r"""Yield the lines with their ends (\n, \r\n or \r), in flat memory.

    What doesn't fit the encoding stands in a line as lone surrogates: `is_whole` finds them. A NUL
    byte here and there, which no table takes, becomes U+FFFD.

    Raises DocumentFailed for a file that isn't text, and ValueError for a line longer than LONGEST.
    """
    waiting: list[str] = []
    for found in _texts(file):
        text = found.replace("\0", "\ufffd")
        end = text.rfind("\n") + 1
        if not end:
            waiting.append(text)
            if sum(map(len, waiting)) > LONGEST:
                raise ValueError(f"a line is longer than {LONGEST} characters")
            continue
        yield from io.StringIO("".join(waiting) + text[:end], newline="")
        waiting = [text[end:]]
    yield from io.StringIO("".join(waiting), newline="")


def is_whole(text: str) -> bool:
    """Whether no part of a line is missing for its encoding."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _is_binary(block: bytes) -> bool:
    """Whether a block has more zeros than happen in a text: those of UTF-16, too."""
    return block.count(0) * FEW_ZEROS > len(block)


def _texts(file: BinaryIO) -> Iterator[str]:
    """Yield the file block by block; what is ASCII at first may show its encoding later."""
    block = file.read(BLOCK)
    encoding = marked(block if _is_binary(block) else block.replace(b"\0", b""))
    while encoding is None and block and block.isascii() and JAPANESE_MAIL not in block:
        yield block.decode("ascii")
        block = file.read(BLOCK)
    if not block:
        return
    encoding = encoding or guessed(block)
    wide = encoding.startswith(("utf-16", "utf-32"))
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass" if wide else "surrogateescape")
    while block:
        yield decoder.decode(block)
        block = file.read(BLOCK)
    yield decoder.decode(b"", final=True)
