"""From bytes to text of any encoding."""

import codecs
import contextlib

import chardet
import regex

from tasks.errors import DocumentFailed

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SAMPLE = 64 * 1024
FEWEST_PAIRS = 8
JAPANESE_MAIL = b"\x1b$"  # it turns to another set of characters, in bytes that are ASCII
# Of what is detected, whatever is half as likely as the likeliest is looked at, too.
LIKELY = 0.5
# The commonest: where so few different bytes beyond ASCII tell nothing, and nothing speaks against it.
COMMON, FEW = "cp1252", 3
# What no text has in its words: two scripts, a sign between letters, a capital after a small
# letter, three accented letters in a row, a control character. It tells a wrong code page from a right one.
ODD = regex.compile(
    r"\p{Latin}[\p{Cyrillic}\p{Greek}\p{Hebrew}\p{Arabic}\p{Thai}]"
    r"|[\p{Cyrillic}\p{Greek}\p{Hebrew}\p{Arabic}\p{Thai}]\p{Latin}"
    r"|(?<=\p{L})[^\p{L}\p{M}\p{N}\p{Pd}\s\x00-\x7f\u2018\u2019\u201c\u201d\u2026\u00b7\u30fb](?=\p{L})"
    r"|\p{Ll}(?=[^\x00-\x7f])\p{Lu}|(?=[^\x00-\x7f])\p{Ll}\p{Lu}|[\x80-\x9f]|(?<=\p{Ll})[\u00aa\u00ba](?=\p{L})"
    r"|[\u00c0-\u00ff]{3}|[\u00a4\u00a6\u00a8\u00b4\u00b8\u00bc-\u00be](?=\p{L})"
)
ASCII = 0x7F
BEYOND = regex.compile(r"[^\x00-\x7f]")
DAMAGED, FEW_DAMAGED = regex.compile(r"[\udc80-\udcff]"), 10


def decode(data: bytes) -> str:
    """Decode text of any encoding: by its mark, as UTF-8, or by detection.

    Raises DocumentFailed with reason `not_text` where it isn't text.
    """
    if encoding := marked(data):
        return _strictly(data, encoding)
    for encoding in ("iso2022_jp", "utf-8") if JAPANESE_MAIL in data[:SAMPLE] else ("utf-8",):
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode(encoding)
    return _strictly(data, _detected(data))


def marked(data: bytes) -> str | None:
    """Return the encoding that a text's beginning tells: by its mark, or by the zeros of UTF-16.

    Raises DocumentFailed with reason `not_text` for a binary file.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return encoding
    return _wide(data[:SAMPLE]) if b"\0" in data[:SAMPLE] else None


def guessed(data: bytes) -> str:
    """Return the likeliest encoding of a part of a text that isn't all ASCII, which may end inside a character.

    It is UTF-8 where a damaged character stands among ten sound ones.

    Raises DocumentFailed with reason `not_text`.
    """
    text = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode(data)
    damaged = len(DAMAGED.findall(text))
    if JAPANESE_MAIL in data:
        return "iso2022_jp"
    return "utf-8" if damaged * FEW_DAMAGED <= len(BEYOND.findall(text)) - damaged else _detected(data)


def _strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DocumentFailed("not_text", f"the file seems to be {encoding} but isn't: {error.reason}") from error


def _wide(head: bytes) -> str:
    """Return the UTF-16 of a file without a mark: nearly every second byte of its ASCII is 0."""
    pairs = len(head) // 2
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if pairs >= FEWEST_PAIRS and head[start::2].count(0) > 0.4 * pairs and head[1 - start :: 2].count(0) == 0:
            return encoding
    raise DocumentFailed("not_text", "this is a binary file, not text: leave it out or convert it")


def _detected(data: bytes) -> str:
    """Detect by the whole file where it is small, else by its first lines that aren't ASCII.

    The sample ends with a line: elsewhere it might end inside a character.
    """
    head = _sample(data)
    found = [one for one in chardet.detect_all(head, ignore_threshold=True) if one["encoding"]]
    if not found:
        raise DocumentFailed("not_text", "no known text encoding fits: convert the file to UTF-8")
    most = found[0]["confidence"]
    likely = [str(one["encoding"]) for one in found if one["confidence"] >= LIKELY * most]
    likely = [COMMON, *likely] if 0 < len({byte for byte in head if byte > ASCII}) <= FEW else likely
    return min(likely, key=lambda encoding: _oddities(head, encoding))


def _sample(data: bytes) -> bytes:
    """Return the part that tells the encoding: from the line of the first byte beyond ASCII on."""
    first = next((start for start in range(0, len(data), SAMPLE) if not data[start : start + SAMPLE].isascii()), 0)
    begin = data.rfind(b"\n", 0, first) + 1
    head = data[begin : first + SAMPLE]
    return head[: head.rfind(b"\n") + 1] if first + SAMPLE < len(data) and b"\n" in head else head


def _oddities(data: bytes, encoding: str) -> float:
    """Return how odd a text would look in that encoding: oddities a character beyond ASCII, in hundredths."""
    try:
        text = data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return float("inf")
    beyond = len(BEYOND.findall(text))
    return round(len(ODD.findall(text)) / beyond, 2) if beyond else 0.0
