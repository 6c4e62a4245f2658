"""Which code page a text that isn't UTF-8 is in."""

import codecs
import contextlib
import itertools

import chardet
import regex

from tasks.base.errors import DocumentFailed
from tasks.documents.encodings.charsets import codec_of
from tasks.documents.encodings.losses import LOST, lossy

SAMPLE = 64 * 1024
# Every detected codec that is at least half as likely as the likeliest one is examined.
LIKELY = 0.5
# The most common code page, which wins ties where at most FEW distinct bytes beyond ASCII leave the detector unsure.
COMMON, FEW = "cp1252", 3
# How much likelier the most common page is than the detector says, which treats all pages alike.
ODDS = 1.25
# What real words don't contain: two scripts, a sign between letters, a capital after a small
# letter, three accented letters in a row, a control character, a private-use character, an Arabic
# presentation form, a box-drawing character beside a letter. Such oddities reveal a wrong code page.
ODD = regex.compile(
    r"\p{Latin}[\p{Cyrillic}\p{Greek}\p{Hebrew}\p{Arabic}\p{Thai}]"
    r"|[\p{Cyrillic}\p{Greek}\p{Hebrew}\p{Arabic}\p{Thai}]\p{Latin}"
    r"|(?<=\p{L})[^\p{L}\p{M}\p{N}\p{Pd}\s\x00-\x7f\u2018\u2019\u201c\u201d\u2026\u00b7\u30fb](?=\p{L})"
    r"|\p{Ll}(?=[^\x00-\x7f])\p{Lu}|(?=[^\x00-\x7f])\p{Ll}\p{Lu}|[\x80-\x9f]|(?<=\p{Ll})[\u00aa\u00ba](?=\p{L})"
    r"|[\u00c0-\u00ff]{3}|[\u00a4\u00a6\u00a8\u00b4\u00b8\u00bc-\u00be](?=\p{L})"
    r"|[\ue000-\uf8ff\ufe70-\ufeff]|(?<=\p{L})[\u2500-\u259f]|[\u2500-\u259f](?=\p{L})"
)
ASCII = 0x7F
BEYOND = regex.compile(r"[^\x00-\x7f]")
# If more than this share of what isn't ASCII is lost, the text isn't in that encoding at all.
MOST_LOST, ODDEST = 0.1, float("inf")
# How many oddities one lost character counts for.
WORSE = 5
SURE = 0.5
TELLING = 16 * 1024
PARTS = 8


def detected(data: bytes) -> str:
    """Return the codec that fits best: by the whole text where it is small, else by its first lines that aren't ASCII.

    Raises DocumentFailed with reason `not_text` where none does.
    """
    head = _sample(data)
    scores = _scores(head)
    looked_at = _telling(head)
    most = max(scores.values(), default=0.0)
    likely = [name for name in sorted(scores, key=scores.__getitem__, reverse=True) if scores[name] >= LIKELY * most]
    if most < SURE and 0 < len({byte for byte in head if byte > ASCII}) <= FEW:
        likely = [COMMON, *likely]
    best = min(likely, key=lambda codec: _oddities(looked_at, codec), default="")
    if not best or _oddities(looked_at, best) == ODDEST:
        raise DocumentFailed("not_text", "no known text encoding fits: convert the file to UTF-8")
    return best


def _scores(head: bytes) -> dict[str, float]:
    """Return how likely each codec is, of 1.

    A detector is confused by much ASCII, and rules an encoding out by one wrong byte: where it is
    unsure of the whole, it is asked about the lines that aren't ASCII, and about parts of them.
    """
    scores = _asked(head)
    if max(scores.values(), default=0.0) >= SURE:
        return scores
    lines = [line for line in head.splitlines(keepends=True) if not line.isascii()]
    scores = _asked(b"".join(lines))
    if len(lines) < PARTS or max(scores.values(), default=0.0) >= SURE:
        return scores
    size = -(-len(lines) // PARTS)
    for start in range(0, len(lines), size):
        for codec, score in _asked(b"".join(lines[start : start + size])).items():
            scores[codec] = scores.get(codec, 0.0) + score / PARTS
    return scores


def _asked(data: bytes) -> dict[str, float]:
    scores: dict[str, float] = {}
    for one in chardet.detect_all(data, ignore_threshold=True):
        if one["encoding"] and (codec := _codec(one["encoding"])):
            odds = ODDS if codec == COMMON and one["confidence"] < SURE else 1.0
            scores[codec] = max(scores.get(codec, 0.0), odds * one["confidence"])
    return scores


def _codec(name: str) -> str | None:
    """Return the codec for what writers mean by an encoding, or the encoding's own codec if it is a rare one."""
    with contextlib.suppress(LookupError):
        return codec_of(name) or codecs.lookup(name).name
    return None


def _sample(data: bytes) -> bytes:
    """Return the part that tells the encoding: from the line of the first byte beyond ASCII on.

    It ends with a line: elsewhere it might end inside a character.
    """
    first = next((start for start in range(0, len(data), SAMPLE) if not data[start : start + SAMPLE].isascii()), 0)
    begin = data.rfind(b"\n", 0, first) + 1
    head = data[begin : first + SAMPLE]
    return head[: head.rfind(b"\n") + 1] if first + SAMPLE < len(data) and b"\n" in head else head


def _telling(head: bytes) -> bytes:
    """Return the first lines that aren't ASCII: they alone tell a page from another."""
    lines = [line for line in head.splitlines(keepends=True) if not line.isascii()]
    sizes = itertools.accumulate(map(len, lines))
    return b"".join(line for line, size in zip(lines, sizes, strict=True) if size <= TELLING) or head


def _oddities(data: bytes, codec: str) -> float:
    """Return how odd a text would look in that encoding: oddities a character beyond ASCII, in hundredths."""
    try:
        text = lossy(data, codec)
    except LookupError:
        return ODDEST
    beyond = len(BEYOND.findall(text))
    lost = text.count(LOST)
    if not beyond or lost > MOST_LOST * beyond:
        return ODDEST if lost else 0.0
    return round((len(ODD.findall(text)) + WORSE * lost) / beyond, 2)
