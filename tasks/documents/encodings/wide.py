"""UTF-16 and UTF-32, with a mark and without, and what tells them from a binary file."""

import codecs
from collections import Counter

import regex

from tasks.base.errors import DocumentFailed

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\v\f\r\b\a\x1b")) + b"\x7f"
ZEROS = regex.compile(rb"\0+")
# More control characters than one byte in twenty make a file binary. Fewer (DOUBTFUL) are enough to check for UTF-16
# where the file isn't valid UTF-8. Where it is, only UTF-16 of an alphabet is possible: about every second byte is one.
BINARY, DOUBTFUL, ALPHABET = 0.05, 0.02, 0.3
# A text with more than this share of ASCII bytes has one byte per letter.
PRINTABLE, NARROW = bytes(range(0x20, 0x7F)) + b"\t\n\r", 3 / 4
FEWEST = 4
# This many control characters don't make even the shortest text binary.
FEW = 2
MOST_PARTS = 20
WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
# Characters that text doesn't have: control characters, unassigned, private or half ones.
NO_TEXT = regex.compile(r"[\p{Cn}\p{Co}\p{Cs}[\p{Cc}--[\t\n\v\f\r]]]", regex.VERSION1)
SCRIPTS = {
    name: regex.compile(rf"[{members}]")
    for name, members in {
        "East Asian": r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Bopomofo}\u3000-\u303f\uff00-\uffef",
        **{
            name: rf"\p{{{name}}}"
            for name in ("Cyrillic", "Greek", "Arabic", "Hebrew", "Thai", "Devanagari", "Bengali", "Tamil", "Telugu")
        },
        **{name: rf"\p{{{name}}}" for name in ("Georgian", "Armenian", "Khmer", "Lao", "Ethiopic", "Myanmar")},
        "Latin": r"\p{Latin}",
    }.items()
}
# What any script goes with: ASCII, the signs of Latin-1, punctuation, currencies, arrows and boxes, emoji.
SHARED = regex.compile(r"[\x00-\xbf\u0300-\u036f\u2000-\u2bff\ufeff\U0001f000-\U0001faff]")
# The share of a text that is in its own script or in the signs common to all scripts.
AT_HOME = 0.97


def wide(head: bytes) -> str | None:
    """Return the UTF-16 or UTF-32 that a file without a mark begins in, None for text of narrow characters.

    Raises DocumentFailed with reason `not_text` for a binary file.
    """
    (controls, size), utf8, zeros = _controls(head), _is_utf8(head), b"\0" in head
    if utf8 and not (zeros or head.isascii()):
        return None
    fewest = 2 * FEWEST if utf8 and not zeros else FEWEST
    if controls > (ALPHABET if utf8 else DOUBTFUL) * size and len(head) >= fewest and not _is_mostly_ascii(head):
        texts = ((encoding, _text(head, encoding)) for encoding in WIDE)
        likely = {
            encoding: (_ascii_letters(text), share) for encoding, text in texts if (share := _share(text)) >= AT_HOME
        }
        if likely:
            return max(likely, key=likely.__getitem__)
    if is_binary(head) and (zeros or not utf8):
        raise DocumentFailed("not_text", "this is a binary file, not text: leave it out or convert it")
    return None


def is_wide(data: bytes, encoding: str) -> bool:
    """Whether a text that is said to be in a UTF-16 or UTF-32 may be in it."""
    return _share(_text(data, encoding)) >= AT_HOME


def is_binary(data: bytes) -> bool:
    """Whether a file without a mark holds more control characters than text does."""
    controls, size = _controls(data)
    return controls > max(FEW, BINARY * size)


def swapped(text: str) -> str:
    """Return a text of UTF-16 whose later parts are in the other byte order, as files put together are.

    A mark that stands within it looks like U+FFFE there, which no text holds.
    """
    first, *others = text.split("\ufffe", MOST_PARTS)
    for other in others:
        raw = other.encode("utf-16-le", "surrogatepass")
        turned = raw.decode("utf-16-be", "replace")
        first += turned if _share(turned) > _share(other) else "\ufffe" + other
    return first


def _controls(data: bytes) -> tuple[int, int]:
    """Return how many control characters there are, of how many; zeros in a row, as in a log, are one."""
    whole = ZEROS.sub(b"\0", data)
    return len(whole) - len(whole.translate(None, CONTROLS)), len(whole)


def _is_mostly_ascii(head: bytes) -> bool:
    return len(head) - len(head.translate(None, PRINTABLE)) > NARROW * len(head)


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _text(head: bytes, encoding: str) -> str:
    """Return a text's beginning, which may end inside a character; nothing where it isn't in that encoding."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return ""


def _ascii_letters(text: str) -> int:
    """Return how many characters are ASCII: in the wrong byte order, ASCII letters decode as Chinese ones."""
    return len(text.encode("ascii", "ignore"))


def _share(text: str) -> float:
    if not text or NO_TEXT.search(text):
        return 0.0
    rest = SHARED.sub("", text)
    counts = Counter({name: len(script.findall(rest)) for name, script in SCRIPTS.items()})
    (_, most), *_ = counts.most_common(1)
    latin = 0 if counts.most_common(1)[0][0] == "Latin" else counts["Latin"]
    return (len(text) - len(rest) + most + latin) / len(text)
