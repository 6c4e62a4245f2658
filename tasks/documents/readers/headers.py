"""The headers of e-mail as a person reads them: encoded words (RFC 2047), raw bytes, parameters (RFC 2231)."""

import email.utils
import re
from email.header import decode_header
from email.message import Message

from tasks.documents.decode import decode
from tasks.errors import DocumentFailed

# Encoded words that follow each other are joined, as one letter may be parted between them.
BETWEEN = re.compile(r"(=\?[^?\s]+\?[BbQq]\?[^?]*\?=)\s+(?==\?)")


def header(message: Message, name: str) -> str:
    """Return a header in one line; nothing where there is none."""
    found = (value for key, value in message.raw_items() if key.lower() == name.lower())
    value = str(next(found, ""))
    # The parser keeps raw bytes as lone surrogates (PEP 383).
    return words(value.encode("utf-8", "surrogateescape"))


def words(raw: bytes) -> str:
    """Return a header's bytes as text in one line."""
    line = " ".join(_read(raw, "").split())
    pieces: list[tuple[bytes, str]] = []
    for piece, charset in _parts(BETWEEN.sub(r"\1", line)):
        if pieces and charset and pieces[-1][1] == charset:
            pieces[-1] = (pieces[-1][0] + piece, charset)
        else:
            pieces.append((piece, charset))
    return "".join(_read(piece, charset) for piece, charset in pieces)


def _parts(line: str) -> list[tuple[bytes, str]]:
    try:
        found = decode_header(line)
    except (ValueError, LookupError, TypeError):  # base64 that is none
        return [(line.encode("utf-8", "surrogateescape"), "")]
    return [
        (one if isinstance(one, bytes) else one.encode("utf-8", "surrogateescape"), "" if charset is None else charset)
        for one, charset in found
    ]


def _read(raw: bytes, charset: str) -> str:
    """Return a header's bytes as text; bytes without a charset are detected as text files are."""
    if not charset and raw.isascii():
        return raw.decode("ascii")
    try:
        return decode(raw, charset).text
    except DocumentFailed:
        return raw.decode("utf-8", "replace")


def parameter(part: Message, name: str, field: str = "content-type") -> str:
    """Return a header's parameter, whatever its encoding; nothing where there is none."""
    found = part.get_param(name, header=field)
    if isinstance(found, tuple):  # RFC 2231: charset, language, value
        return _read(found[2].encode("latin-1", "replace"), found[0] or "")
    return words(email.utils.unquote(str(found)).encode("utf-8", "surrogateescape")) if found is not None else ""
