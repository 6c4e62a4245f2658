"""Mend UTF-8 in which some bytes are something else; the surrounding text shows what they are."""

from collections.abc import Iterator

import regex

from tasks.base.errors import DocumentFailed
from tasks.documents.encodings.codepages import ASCII, COMMON, detected
from tasks.documents.encodings.losses import LOST, lossy

# Bytes that aren't UTF-8, as the error handler `surrogateescape` gives them.
BAD = regex.compile(r"[\udc80-\udcff]")
RUN = regex.compile(r"[\udc80-\udcff]+")
# The bytes that such surrogates begin with when the text is encoded as UTF-8 again, and the bytes that begin
# an ASCII character or none at all.
BAD_BYTES = (b"\xed\xb2", b"\xed\xb3")
NO_BEGINNINGS = bytes(range(0xC0))
# A text is UTF-8 if at most one character in four is damaged; if it is declared as UTF-8, at most half of them.
FEW_DAMAGED, HALF = 3, 1
# How many bytes that aren't UTF-8 the damaged lines may hold for each character in the sound lines.
MOST_FOREIGN = 10
# Fewer bytes than this don't tell a code page.
ENOUGH = 8
# What else is written for UTF-8: a character by its halves (CESU-8), one half alone, and zero as Java writes it.
HALVES = regex.compile(
    r"(?P<both>\udced[\udca0-\udcaf][\udc80-\udcbf]\udced[\udcb0-\udcbf][\udc80-\udcbf])"
    r"|(?P<one>\udced[\udca0-\udcbf][\udc80-\udcbf])|\udcc0\udc80"
)
# CLOSING: what ends a word in Windows-1252, apart from ASCII: closing quotation marks and the ellipsis.
# CUT: a byte that begins a character, and those that may follow it.
CLOSING = b"\x85\x92\x94\xab\xbb"
CUT = regex.compile(rb"[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2}|[\xc2-\xdf]|(?P<other>.)", regex.DOTALL)


def escaped(data: bytes) -> str:
    """Return UTF-8, with LOST for half a character, and each byte that isn't UTF-8 as a lone surrogate (PEP 383)."""
    text = data.decode("utf-8", "surrogateescape")
    return HALVES.sub(_whole, text) if "\udced" in text or "\udcc0" in text else text


def _whole(match: regex.Match[str]) -> str:
    if match["both"]:
        return _raw(match[0]).decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16")
    return LOST if match["one"] else "\0"


def is_damaged_utf8(text: str, *, stated: bool = False) -> bool:
    """Whether an escaped text is UTF-8 for the greater part, or in a tenth of its lines or more.

    What is in another encoding is hardly ever UTF-8 by chance.
    """
    damaged, sound = counts(text)
    if damaged * (HALF if stated else FEW_DAMAGED) <= sound:
        return True
    within = sum(counts(line)[1] for _, _, line in _damaged_lines(text))
    return (sound - within) * MOST_FOREIGN >= damaged


def mended(text: str) -> str:
    """Return an escaped text with its damaged lines decoded: as another encoding where they are less UTF-8 than that.

    LOST stands for what can't be decoded.
    """
    sound = text.encode("utf-8", "ignore")
    leads = {lead for lead in range(0xC2, 0xF5) if lead in sound}
    foreign = [line for _, _, line in _damaged_lines(text) if _is_foreign(line)]
    codec = _codec_of(foreign)
    pieces, done = [], 0
    for start, end, line in _damaged_lines(text):
        pieces.append(text[done:start])
        pieces.append(_foreign(line, codec) if codec and _is_foreign(line) else _mended_line(line, leads))
        done = end
    return "".join([*pieces, text[done:]])


def _damaged_lines(text: str) -> Iterator[tuple[int, int, str]]:
    found = BAD.search(text)
    while found:
        start = text.rfind("\n", 0, found.start()) + 1
        end = text.find("\n", found.end())
        end = len(text) if end < 0 else end
        yield start, end, text[start:end]
        found = BAD.search(text, end)


def _is_foreign(line: str) -> bool:
    """Whether a line holds more bytes that aren't UTF-8, and more than one, than characters that are."""
    damaged, sound = counts(line)
    return damaged > max(1, sound)


def counts(text: str) -> tuple[int, int]:
    """Return how many bytes of an escaped text aren't UTF-8, and how many characters beyond ASCII are."""
    raw = text.encode("utf-8", "surrogatepass")  # counting bytes is quick, where a pass over characters isn't
    damaged = sum(map(raw.count, BAD_BYTES))
    return damaged, len(raw.translate(None, NO_BEGINNINGS)) - damaged


def _foreign(line: str, codec: str) -> str:
    return LOST.join(lossy(_raw(part), codec) for part in line.split(LOST))


def _codec_of(lines: list[str]) -> str | None:
    """Return what lines that aren't UTF-8 are in; None where they are too few to tell."""
    raw = _raw("\n".join(lines).replace(LOST, ""))
    if sum(byte > ASCII for byte in raw) < ENOUGH:
        return None
    try:
        return detected(raw)
    except DocumentFailed:
        return None


def _raw(text: str) -> bytes:
    """Return the bytes that an escaped text, without LOST, was made of."""
    return text.encode("utf-8", "surrogateescape")


def _mended_line(line: str, leads: set[int]) -> str:
    pieces, done = [], 0
    for run in RUN.finditer(line):
        before, after = line[max(run.start() - 1, 0) : run.start()], line[run.end() : run.end() + 1]
        pieces += [line[done : run.start()], _read(_raw(run[0]), leads, before, after)]
        done = run.end()
    return "".join([*pieces, line[done:]])


def _read(run: bytes, leads: set[int], before: str, after: str) -> str:
    """Return the text of bad bytes between two characters: decoded as Windows-1252, or LOST for a cut-off character.

    A byte is the beginning of a cut-off character where it begins characters elsewhere in the text but no word
    here; so are several bytes at the end of a line.
    """
    found = ""
    for part in CUT.finditer(run):
        follows = after if part.end() == len(run) else " "
        several = part[0][1:] and part[0][-1] not in CLOSING
        cut = (several and not follows) or (part[0][0] in leads and (several or not follows.isalpha()))
        letters = lossy(part[0], COMMON)
        misplaced = not part["other"] and (found or before)[-1:].islower() and letters[0].isupper()
        found += LOST if cut or misplaced else letters
    return found
