"""Cut a text into chunks that fit a number of tokens.

The text is tokenized once, in slices; each token's place in it is known by the bytes
of the tokens before it. So how far a number of tokens reaches, and how many there are
between two places, are look-ups in one array of prefix sums: a chunk costs those, a
search for the best boundary in its last BACK, and counting anew from its ends to the
nearest seams (`seams.py`). All of it together is linear in the text. Only a chunk
without a seam near its ends is counted as a whole, a few times at the most.

Laws: the chunks joined, without what they repeat, are the text; each, counted on its
own with the headings it is given, is within the limit; offsets are in characters and
strictly increase. Chunks are filled, but the last two share evenly what is left for them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from tasks.base.errors import DocumentFailed
from tasks.chunking.boundaries import seam_after, seam_before
from tasks.chunking.outline import NO_OUTLINE, Outline
from tasks.chunking.token_index import TokenIndex
from tasks.chunking.tokenizer import Tokenizer

# From the best boundary to the least; each match ends where a chunk may end. The first is for
# text whose sections aren't known. A line keeps its indentation.
BOUNDARIES = (
    re.compile(r"\n(?=#{1,6}[ \t])"),
    re.compile(r"\n(?:[^\S\n]*\n)+"),
    re.compile(r"\n"),
    re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？][」』”’）]*"),  # noqa: RUF001 - the marks of CJK
    re.compile(r"[,;:]\s+|[、，；：]"),  # noqa: RUF001
    re.compile(r"\s+"),
)
SENTENCE, WORD = BOUNDARIES[3], BOUNDARIES[5]
# The share of a chunk that is given up for a better boundary.
BACK = 0.15
MOST_HEADING = 1 / 8  # of a chunk
# Extended grapheme clusters (Unicode UAX #29): what a reader sees as one character.
CLUSTER = regex.compile(r"\X")
REGIONAL = "".join(map(chr, range(0x1F1E6, 0x1F200)))
AROUND = 64  # characters on each side of a cut in which its cluster is looked for


@dataclass(frozen=True, slots=True)
class Chunk:
    """A half-open span [start, end) of the text, in characters, and its tokens.

    `heading` are the headings it stands under, counted in its tokens; "" where it has its own.
    """

    start: int
    end: int
    tokens: int
    heading: str = ""


def split(
    text: str, limit: int, tokenizer: Tokenizer, overlap: int = 0, outline: Outline = NO_OUTLINE
) -> Iterator[Chunk]:
    """Yield the chunks of `text`, in order, each of at most `limit` tokens.

    Each begins with up to `overlap` tokens of the one before, from the beginning of a
    sentence or a word on. They end where sections of the `outline` end, where those are near.

    Raises DocumentFailed with reason `does_not_fit` where not even one character (a handful
    of tokens in the worst of scripts) is within the limit, and ValueError where the overlap
    is more than half of the limit.
    """
    if overlap > limit / 2 > 0:
        raise ValueError(f"an overlap of {overlap} tokens is more than half of the limit of {limit}")
    cutter = _Cutter(text, limit, tokenizer, outline)
    start = end = 0
    while end < len(text):
        chunk = cutter.chunk(start, end)
        yield chunk
        end = chunk.end
        start = cutter.repeated(chunk, overlap) if overlap else end


class _Cutter:
    """Cuts one text from its beginning to its end."""

    def __init__(self, text: str, limit: int, tokenizer: Tokenizer, outline: Outline) -> None:
        self._text, self._limit, self._tokenizer, self._outline = text, limit, tokenizer, outline
        self._index = TokenIndex(text, tokenizer)

    def chunk(self, start: int, done: int) -> Chunk:
        """Return the chunk that begins at `start` and ends behind `done`."""
        first = self._index.tokens_before(start)
        self._index.forget(first)
        left = self._index.look_ahead(first, 2 * self._limit)
        heading, room = self._heading(start)
        wanted = self._wanted(left, room)
        if wanted < room and _parts_cluster(self._text, start, self._end(start, done, first, wanted)):
            wanted = room  # half of what is left is too little for one large cluster
        step = 1
        while wanted > 0:
            end = len(self._text) if left is not None and wanted >= left else self._end(start, done, first, wanted)
            tokens = self._count(heading, start, end)
            if tokens <= self._limit:
                return Chunk(start, end, tokens, heading)
            # Counted alone, a text may take a few tokens more than within another.
            wanted = min(wanted, room) - max(tokens - self._limit, step)
            step *= 2
        return self._least(start, done)

    def _heading(self, start: int) -> tuple[str, int]:
        """Return the headings to put above a chunk, and the tokens left for its text; none where there is no room."""
        heading = self._outline.heading(start)
        tokens = self._tokenizer.count(heading) if heading else 0
        return (heading, self._limit - tokens) if tokens <= self._limit * MOST_HEADING else ("", self._limit)

    def _wanted(self, left: int | None, room: int) -> int:
        """Return the tokens to fill a chunk with, given how many are left if they are few."""
        if left is None or left <= room:
            return room
        # Two shares: the first a little larger, since it is cut back to a boundary.
        return min(room, round(left / 2 * (1 + BACK / 2)) + 1)

    def _end(self, start: int, done: int, first: int, wanted: int) -> int:
        """Return the best boundary up to which there are at most `wanted` tokens, by the prefix sums."""
        most = max(self._index.end_of(first + wanted), done + 1)
        near = max(self._index.end_of(first + round(wanted * (1 - self._outline.back))), done)
        if (best := self._outline.cut(near, most)) is not None:
            return _whole(self._text, max(start, done), best)
        least = max(self._index.end_of(first + round(wanted * (1 - BACK))), done)
        for pattern in BOUNDARIES[1:] if self._outline else BOUNDARIES:
            last = None
            for match in pattern.finditer(self._text, least, most):
                last = match
            if last is not None:
                kept = self._outline.kept(self._text, last.end())
                return _whole(self._text, max(start, done), kept if kept > max(start, done) else last.end())
        return _whole(self._text, max(start, done), most)

    def _count(self, heading: str, start: int, end: int) -> int:
        """Return the tokens of a chunk on its own: from its ends to the nearest seams, anew."""
        text = self._text
        head, tail = seam_after(text, start, end), seam_before(text, start, end)
        if head is None or tail is None or head >= tail or self._index.broken_between(head, tail):
            return self._tokenizer.count(heading + text[start:end])
        between = self._index.tokens_before(tail) - self._index.tokens_before(head)
        return self._tokenizer.count(heading + text[start:head]) + between + len(self._tokenizer.sizes(text[tail:end]))

    def _least(self, start: int, done: int) -> Chunk:
        """Return a chunk that ends one character after `done`."""
        tokens = self._tokenizer.count(self._text[start : done + 1])
        if tokens <= self._limit:
            return Chunk(start, done + 1, tokens)
        if start < done:
            return self._least(done, done)
        message = f"a single character takes more than the {self._limit} tokens left for text"
        raise DocumentFailed("does_not_fit", message)

    def repeated(self, chunk: Chunk, overlap: int) -> int:
        """Return where the next chunk begins: at a sentence, else a word, in the last `overlap` tokens of this one."""
        after = self._index.tokens_before(chunk.end)
        begin = max(self._index.end_of(after - overlap), chunk.start + 1)
        for pattern, end in ((SENTENCE, (begin + chunk.end) // 2), (WORD, chunk.end)):
            match = pattern.search(self._text, max(begin - 1, 0), end)
            if match and begin <= match.end() < chunk.end and _whole(self._text, begin, match.end()) == match.end():
                return match.end()
        return begin if _whole(self._text, chunk.start, begin) == begin else chunk.end


def _parts_cluster(text: str, start: int, end: int) -> bool:
    return any(begin < end < stop for begin, stop in _clusters(text, start, end))


def _whole(text: str, start: int, end: int) -> int:
    """Move `end` back so that it parts no grapheme cluster, unless all since `start` is one."""
    if text[end - 1 : end + 1].isascii() and text[end - 1 : end + 1] != "\r\n":
        return end
    for begin, stop in _clusters(text, start, end):
        if stop >= end:
            whole = end if stop == end else begin
            return whole if whole > start else end
    return end


def _clusters(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of the clusters around `end`; none is parted at `start`.

    They are looked for in a part of the text: at each regional indicator the pattern
    counts those before it, which would take it back to the beginning of a long run.
    """
    begin = max(start, end - AROUND)
    before = text[start:begin]
    begin -= (len(before) - len(before.rstrip(REGIONAL))) % 2  # two of them are a flag
    for cluster in CLUSTER.finditer(text[begin : end + AROUND]):
        yield begin + cluster.start(), begin + cluster.end()
