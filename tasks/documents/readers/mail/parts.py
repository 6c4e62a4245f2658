"""The parts of a message (RFC 5322, MIME): cut out where they lie, and unpacked, however they were mangled."""

import binascii
import quopri
from collections.abc import Iterator
from email import policy
from email.message import Message
from email.parser import HeaderParser
from typing import NamedTuple

import regex

from tasks.base.errors import DocumentFailed
from tasks.documents.encodings.decode import decode
from tasks.documents.readers.mail.headers import words

# Lines that name a header, go on with one, or part the messages of a mailbox.
HEADERS = regex.compile(rb"(?:[!-9;-~]+[ \t]*:[^\n]*+(?:\n|\Z)|[ \t]+[^\s][^\n]*+(?:\n|\Z)|>?From [^\n]*+(?:\n|\Z))*+")
BLANK = regex.compile(rb"[ \t]*\r?\n")
CHARSET = regex.compile(rb"charset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", regex.IGNORECASE)
FIRST_LINE = regex.compile(rb"^--([^\s\-][^\r\n]{0,99}?)[ \t]*\r?$", regex.MULTILINE)
NOT_BASE64 = regex.compile(rb"[^A-Za-z0-9+/=\s]")
# Of base64 so much may be something else; of plain text that is said to be base64 more is.
MOST_JUNK = 0.05
DAMAGED = (binascii.Error, ValueError)


class MailPart(NamedTuple):
    """A part: its headers, and where its body lies in the bytes; `lost` counts what of its headers can't be read."""

    headers: "Message[str, str]"
    data: bytes
    start: int
    end: int
    lost: int = 0

    @property
    def kind(self) -> str:
        """The media type, in small letters."""
        return self.headers.get_content_type()

    @property
    def disposition(self) -> str:
        """`attachment`, `inline`, or nothing."""
        return (self.headers.get_content_disposition() or "").strip("\"' ")

    @property
    def filename(self) -> str:
        """Its file's name, or nothing (RFC 2183, 2231; RFC 2047 as many write it)."""
        return words(self.headers.get_filename() or "").text.replace("\n", " ").strip()

    def parameter(self, name: str) -> str:
        """Return a parameter of its media type, or nothing."""
        value = self.headers.get_param(name, "")
        return str(value[2] if isinstance(value, tuple) else value)


def part_of(data: bytes, start: int = 0, end: int | None = None, default: str = "text/plain") -> MailPart:
    """Return the part that lies in these bytes; one without headers is a body of the default type."""
    end = len(data) if end is None else end
    found = HEADERS.match(data, start, end)
    stop = found.end() if found else start
    block = data[start:stop]
    text, lost = _header_text(block)
    headers = HeaderParser(policy=policy.compat32).parsestr(text, headersonly=True)
    headers.set_default_type(default)
    blank = BLANK.match(data, stop, end)
    return MailPart(headers, data, blank.end() if blank else stop, end, lost)


def _header_text(block: bytes) -> tuple[str, int]:
    charset = CHARSET.search(block)
    try:
        text, _, _, lost = decode(block, charset[1].decode() if charset else "")
    except DocumentFailed:
        return block.decode("ascii", "ignore"), 1
    return text, lost


def parts_of(part: MailPart) -> list[MailPart]:
    """Return the parts of a multipart, in order; none where its boundary isn't to be found in it."""
    boundary = part.parameter("boundary").rstrip()
    found = list(_between(part, boundary.encode())) if boundary else []
    if not found and (first := FIRST_LINE.search(part.data, part.start, part.end)):
        found = list(_between(part, first[1]))
    default = "message/rfc822" if part.kind == "multipart/digest" else "text/plain"
    return [part_of(part.data, start, end, default) for start, end in found]


def _between(part: MailPart, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the parts lie; what comes before the first and after the last isn't shown by any program."""
    line = regex.compile(rb"^--" + regex.escape(boundary) + rb"(--)?[ \t]*\r?(?:\n|\Z)", regex.MULTILINE)
    start: int | None = None
    for match in line.finditer(part.data, part.start, part.end):
        if start is not None:
            yield start, _without_line_end(part.data, start, match.start())
        start = None if match[1] else match.end()
    if start is not None:
        yield start, part.end


def _without_line_end(data: bytes, start: int, end: int) -> int:
    """The line end before a boundary belongs to the boundary."""
    end -= data.endswith(b"\n", start, end)
    return end - data.endswith(b"\r", start, end)


def body_of(part: MailPart) -> tuple[bytes, str]:
    """Return a part's bytes, unpacked, and what is wrong with them, if anything is."""
    raw = part.data[part.start : part.end]
    packing = regex.sub("[^a-z0-9]", "", str(part.headers.get("Content-Transfer-Encoding", "")).lower())
    if packing == "base64":
        return _from_base64(raw)
    if packing == "quotedprintable":
        return quopri.decodestring(raw), ""
    return (_from_uu(raw), "") if packing in ("uuencode", "xuuencode", "xuue", "uue") else (raw, "")


def _from_base64(raw: bytes) -> tuple[bytes, str]:
    """Unpack base64, or several put together; what isn't base64 between it is skipped (RFC 2045, 6.8)."""
    if len(NOT_BASE64.findall(raw)) > MOST_JUNK * len(raw):
        return raw, ""
    pieces, cut = [], False
    for piece in regex.split(rb"=+", NOT_BASE64.sub(b"", raw)):
        clean = b"".join(piece.split())
        cut = cut or len(clean) % 4 == 1
        clean = clean[:-1] if len(clean) % 4 == 1 else clean
        pieces.append(binascii.a2b_base64(clean + b"=" * (-len(clean) % 4)))
    return b"".join(pieces), "its base64 is cut off or damaged: ask for it to be sent again" if cut else ""


def _from_uu(raw: bytes) -> bytes:
    pieces = []
    for line in raw.splitlines():
        if line.startswith((b"begin ", b"end")) or not line:
            continue
        size = ((line[0] - 32 & 63) * 4 + 5) // 3
        try:
            pieces.append(binascii.a2b_uu(line[:size]))
        except DAMAGED:
            pieces.append(line)
    return b"".join(pieces)
