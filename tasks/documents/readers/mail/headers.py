"""The headers of a message as a person reads them: RFC 2047, and what is written instead."""

import binascii
from typing import NamedTuple

import regex

from tasks.base.errors import DocumentFailed
from tasks.documents.encodings.decode import decode

FOLD = regex.compile(r"\r?\n[ \t]*")
WORD = r"=\?[^?\s]{1,60}\?[bBqQ]\?[^?\r\n]*\?="
# Words with nothing but space between them are one text; a character may be parted between two.
RUN = regex.compile(rf"{WORD}(?:\s*{WORD})*+")
ONE = regex.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?\r\n]*)\?=")
HEX = regex.compile(rb"=([0-9A-Fa-f]{2})")


class Words(NamedTuple):
    """A header's text, and how many of its characters couldn't be read."""

    text: str
    lost: int = 0


def words(value: str) -> Words:
    """Return a header's value in one line, its encoded words decoded."""
    lost = 0

    def read(run: regex.Match[str]) -> str:
        nonlocal lost
        found = _run(run[0])
        lost += found.lost
        return found.text

    text = RUN.sub(read, FOLD.sub(" ", value.strip()))
    return Words(" ".join(text.splitlines()), lost)


def _run(run: str) -> Words:
    """Return the text of encoded words; those of one charset are put together before they are decoded."""
    together: list[tuple[str, bytes]] = []
    for charset, packing, text in ONE.findall(run):
        name = charset.partition("*")[0].lower()  # RFC 2231 adds a language
        raw = _from_base64(text) if packing in "bB" else _from_q(text)
        if together and together[-1][0] == name:
            raw = together.pop()[1] + raw
        together.append((name, raw))
    found = [_decoded(raw, charset) for charset, raw in together]
    return Words("".join(one.text for one in found), sum(one.lost for one in found))


def _decoded(raw: bytes, charset: str) -> Words:
    try:
        text, _, _, lost = decode(raw, charset)
    except DocumentFailed:
        return Words(raw.decode("ascii", "replace"), 1)
    return Words(text, lost)


def _from_q(text: str) -> bytes:
    raw = text.replace("_", " ").encode()
    return bytes(HEX.sub(lambda match: bytes.fromhex(match[1].decode()), raw))


def _from_base64(text: str) -> bytes:
    clean = regex.sub("[^A-Za-z0-9+/]", "", text)
    clean = clean[: len(clean) - (len(clean) % 4 == 1)]
    return binascii.a2b_base64(clean + "=" * (-len(clean) % 4))
