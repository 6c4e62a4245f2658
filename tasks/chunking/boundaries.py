r"""Where a text can be parted without changing its tokens: at a single space between two other characters.

No token reaches across such an offset, for either kind of vocabulary:

- byte pairs behind a splitting pattern (tekken, cl100k, o200k, GPT-2): every alternative
  that takes a space takes it first (` ?\p{L}+`) or with nothing but white space around it
  (`\s+`), and looks no further than one character ahead, so pieces begin at the space
  whatever came before;
- SentencePiece with whole words: no piece has its space mark anywhere but at its head, and
  merges (Sennrich et al., 2016) never cross what no piece crosses.

So the tokens of a text are those of its parts, and a chunk that was cut anywhere is known
by counting anew only from its ends to the nearest seams.
"""

import re
from collections.abc import Iterator

# U+2581 is SentencePiece's own mark of a space.
SEAM = re.compile(r"(?<=[^\s\x1c-\x1f\u2581]) (?=[^\s\x1c-\x1f\u2581])")
NEAR = 400
# tiktoken panics (a BaseException) on runs of about a million spaces; a step of tokenizing
# is so short, too, that the memory for a document's tokens doesn't grow with the document.
SLICE = 100_000


def seam_after(text: str, start: int, end: int) -> int | None:
    """Return the first seam behind `start`, within NEAR characters and before `end`; or None."""
    found = SEAM.search(text, start + 1, min(end, start + NEAR))
    return found.start() if found else None


def seam_before(text: str, start: int, end: int) -> int | None:
    """Return the last seam after `start`, within NEAR characters of `end`, and at least one character before it."""
    offset = end - 1
    least = max(start, end - NEAR)
    while (offset := text.rfind(" ", least + 1, offset)) > 0:
        if SEAM.match(text, offset):
            return offset
    return None


def slices(text: str, start: int = 0) -> Iterator[tuple[int, int, bool]]:
    """Yield (start, end, whether it ends at a seam) of parts of at most SLICE characters."""
    while len(text) - start > SLICE:
        seam = seam_before(text, start, start + SLICE)
        end = seam or start + SLICE
        yield start, end, seam is not None
        start = end
    if start < len(text):
        yield start, len(text), True
