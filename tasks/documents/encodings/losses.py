"""The characters that couldn't be decoded: marked while decoding, replaced and reported once the text is complete."""

import codecs
from collections.abc import Iterator
from typing import NamedTuple

import regex

from tasks.documents.document import Unread

# A lone surrogate that no decoder produces; it marks unreadable characters until the text is complete.
LOST = "\udc00"
HANDLER = "docmill.lost"
# What Python makes of bytes that mean nothing in an encoding.
NO_LETTERS = {"cp932": "\x80\uf8f0\uf8f1\uf8f2\uf8f3"}
REPLACED = "\ufffd"
# So many lines are named; the rest is summed up.
MOST_LINES = 100
ZEROS = regex.compile(r"\0+")
LATER_MARK = regex.compile(r"(?<=\n)\ufeff+")


class Decoded(NamedTuple):
    """A text, the encoding that it was in, which lines couldn't be read, and how many characters."""

    text: str
    encoding: str
    unread: tuple[Unread, ...] = ()
    lost: int = 0


def _lose(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return LOST, error.end


codecs.register_error(HANDLER, _lose)


def lossy(data: bytes, codec: str) -> str:
    """Decode what may hold bytes that aren't text in that encoding: LOST stands for those."""
    text = data.decode(codec, HANDLER)
    for character in NO_LETTERS.get(codec, ""):
        text = text.replace(character, LOST)
    return text


def finished(text: str, encoding: str) -> Decoded:
    """Return a text with LOST replaced by U+FFFD and reported by line.

    A run of NUL characters becomes a space, so that what it separates stays separate. Byte order marks
    inside the text, as concatenated files have them, are removed.
    """
    if "\0" in text:
        text = ZEROS.sub(" ", text)
    if "\ufeff" in text:
        text = LATER_MARK.sub("", text)
    if LOST not in text:
        return Decoded(text, encoding)
    return Decoded(text.replace(LOST, REPLACED), encoding, tuple(_told(text, encoding)), text.count(LOST))


def _told(text: str, encoding: str) -> Iterator[Unread]:
    start, line, counted = text.find(LOST), 1, 0
    for _ in range(MOST_LINES):
        if start < 0:
            return
        line += text.count("\n", counted, start)
        counted = start
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield Unread(start, f"line {line}", _reason(text.count(LOST, start, end), encoding))
        start = text.find(LOST, end)
    if start >= 0:
        line += text.count("\n", counted, start)
        yield Unread(start, f"line {line} and after", _reason(text.count(LOST, start), encoding))


def _reason(count: int, encoding: str) -> str:
    letters = "a character can't be read" if count == 1 else f"{count} characters can't be read"
    return f"{letters}, the bytes aren't text in {encoding}: save it as UTF-8"
