"""From bytes to text of any encoding."""

import codecs
import contextlib

import regex

from tasks.base.errors import DocumentFailed
from tasks.documents.encodings.charsets import codec_of
from tasks.documents.encodings.codepages import MOST_LOST, SAMPLE, detected
from tasks.documents.encodings.damage import escaped, is_damaged_utf8, mended
from tasks.documents.encodings.losses import LOST, Decoded, finished, lossy
from tasks.documents.encodings.wide import MARKS, is_binary, is_wide, swapped, wide

JAPANESE_MAIL = b"\x1b$"  # the escape sequence that switches to another charset, in ASCII bytes
KOREAN_MAIL = b"\x1b$)C"
# Two letters at least between its braces, which hardly anything else writes.
HZ = regex.compile(rb"~\{(?:[!-w][!-~]){2,}+~\}")
JAPANESE = ("iso2022_jp", "iso2022_jp_2", "iso2022_jp_ext")
BY_ONE_BYTE = regex.compile(r"cp(?!9)|iso8859|koi8|mac_|latin")
# A text in another encoding doesn't hold this many UTF-8 characters by chance.
BY_CHANCE = 3
BEYOND = regex.compile(r"[^\x00-\x7f]")


def decode(data: bytes, charset: str = "") -> Decoded:
    """Decode text of any encoding: by its mark, by the charset it is said to be in, as UTF-8, or by detection.

    A charset is taken at its word unless it is unknown, or the text can't be in it. UTF-8 in which
    some bytes are of another encoding stays UTF-8.

    Raises DocumentFailed with reason `not_text` where it isn't text.
    """
    if encoding := marked(data):
        return _marked(data, encoding)
    codec = codec_of(charset)
    if stated := _stated(data, codec):
        return stated
    for encoding in _seven_bit(data):
        with contextlib.suppress(UnicodeDecodeError):
            return finished(data.decode(encoding), encoding)
    with contextlib.suppress(UnicodeDecodeError):
        return finished(data.decode("utf-8"), "utf-8")
    return _beyond_utf8(data, stated=codec == "utf_8")


def marked(data: bytes) -> str | None:
    """Return the encoding that a text's beginning tells: by its mark, or because it can only be UTF-16 or UTF-32.

    Raises DocumentFailed with reason `not_text` for a binary file.
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return encoding
    head = data[:SAMPLE]
    return "iso2022_kr" if KOREAN_MAIL in head and head.isascii() else wide(head)


def guessed(data: bytes) -> str:
    """Return the likeliest encoding of a part of a text that isn't all ASCII, which may end inside a character.

    It is UTF-8 where most characters are, or a tenth of the lines.

    Raises DocumentFailed with reason `not_text`.
    """
    if JAPANESE_MAIL in data:
        return "iso2022_jp"
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(data)
    return "utf-8" if is_damaged_utf8(text) else detected(data)


def _marked(data: bytes, encoding: str) -> Decoded:
    if encoding == "utf-8-sig":
        rest = data[3:]
        with contextlib.suppress(UnicodeDecodeError):
            return finished(rest.decode("utf-8"), "utf-8")
        return _beyond_utf8(rest, stated=True)
    text = lossy(data, encoding)
    if encoding.startswith("utf-16") and "\ufffe" in text:
        text = swapped(text)
    return _checked(text, encoding)


def _stated(data: bytes, codec: str | None) -> Decoded | None:
    """Return the text in a stated codec, None where it can't be in that one, or UTF-8 is as good."""
    if codec is None or codec == "utf_8" or (codec not in ("hz", "utf_7", *JAPANESE) and data.isascii()):
        return None
    if _is_utf8(data, codec) or (codec.startswith(("utf_16", "utf_32")) and not is_wide(data, codec)):
        return None
    for encoding in JAPANESE if codec in JAPANESE else (codec, "big5hkscs") if codec == "cp950" else (codec,):
        with contextlib.suppress(UnicodeDecodeError):
            return finished(data.decode(encoding), encoding)
    text = lossy(data, codec)
    return finished(text, codec) if text.count(LOST) <= MOST_LOST * len(BEYOND.findall(text)) else None


def _is_utf8(data: bytes, codec: str) -> bool:
    """Whether a text is UTF-8 though it is said to be in another encoding: that happens by chance to a few letters."""
    try:
        beyond = len(BEYOND.findall(data.decode("utf-8")))
    except UnicodeDecodeError:
        return False
    return beyond >= (1 if BY_ONE_BYTE.match(codec) else BY_CHANCE)


def _seven_bit(data: bytes) -> tuple[str, ...]:
    """Return the encodings that write letters in ASCII, of which this may be one."""
    head = data[:SAMPLE]
    if JAPANESE_MAIL in head:
        return JAPANESE
    return ("hz",) if b"~{" in head and data.isascii() and HZ.search(head) else ()


def _beyond_utf8(data: bytes, *, stated: bool) -> Decoded:
    """Return a text that isn't all UTF-8: mended where most of it is, else in its code page."""
    if is_binary(data):
        raise DocumentFailed("not_text", "this is a binary file, not text: leave it out or convert it")
    text = escaped(data)
    if is_damaged_utf8(text, stated=stated):
        return _checked(mended(text), "utf-8")
    encoding = detected(data)
    return _checked(lossy(data, encoding), encoding)


def _checked(text: str, encoding: str) -> Decoded:
    if text.count(LOST) > max(1, MOST_LOST * len(text)):
        raise DocumentFailed("not_text", f"the file seems to be {encoding} but isn't: convert it to UTF-8")
    return finished(text, encoding)
