"""Texts that break chunkers, at their full size: laws checked, and the time against the bare tokenizer's.

`python -m tests.benchmarks.hostile`: a row a text and a column a tokenizer. Each cell is our
time over the tokenizer's own; a broken law ends the run.
"""

import base64
import random
import time
from collections.abc import Mapping

from tasks.base.errors import DocumentFailed
from tasks.chunking.splitter import split
from tasks.chunking.tokenizer import Tokenizer, load_tokenizer
from tasks.documents.encodings.decode import decode

LIMIT = 4000
NAMES = ("mistral-v1", "mistral-v3", "tekken-240718", "utf8-bytes")
MEGA = 1_000_000


def texts() -> Mapping[str, str]:
    """Return the texts by what they are."""
    noise = random.Random(1).randbytes(50 * MEGA)
    return {
        "5 MB without a space": "abcdefghij" * (MEGA // 2),
        "a million newlines": "\n" * MEGA,
        "a million spaces": " " * MEGA,
        "a million non-breaking spaces": "\u00a0" * MEGA,
        "Chinese, 3 MB": "\u6f22\u5b57\u4eee\u540d\u4ea4\u3058\u308a\u6587\u3002" * (MEGA // 9),
        "emoji with joiners, 5 MB": "\U0001f468\u200d\U0001f469\u200d\U0001f467" * (MEGA // 5),
        "Arabic, 2 MB": "\u0643\u062a\u0627\u0628 \u0645\u0641\u064a\u062f\u060c " * (MEGA // 12),
        "Thai, 3 MB": "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e04\u0e23\u0e31\u0e1a" * (MEGA // 10),
        "combining marks, 2 MB": "e\u0301o\u0302\u0323" * (MEGA // 5),
        "NUL, 1 MB": "\0" * MEGA,
        "base64 in one line, 5 MB": base64.b64encode(noise[: 4 * MEGA]).decode(),
        "50 MB of random bytes": read(noise),
    }


def read(noise: bytes) -> str:
    """Decode noise as a file is decoded; what is refused as no text is taken for Latin-1."""
    try:
        return decode(noise).text
    except DocumentFailed as refused:
        print(f"50 MB of random bytes as a file: {refused.reason}: {refused}\n")
        return noise.decode("latin-1")


def main() -> None:
    """Print the table."""
    print(f"| text | {' | '.join(NAMES)} |\n|---|{'---|' * len(NAMES)}")
    for title, text in texts().items():
        cells = [cell(text, load_tokenizer(name)) for name in NAMES]
        print(f"| {title} | {' | '.join(cells)} |", flush=True)


def cell(text: str, tokenizer: Tokenizer) -> str:
    """Cut a text, check the laws, and return our time over that of counting the chunks."""
    began = time.perf_counter()
    chunks = list(split(text, LIMIT, tokenizer))
    ours = time.perf_counter() - began
    began = time.perf_counter()
    counts = [tokenizer.count(text[chunk.start : chunk.end]) for chunk in chunks]
    bare = time.perf_counter() - began
    if "".join(text[chunk.start : chunk.end] for chunk in chunks) != text:
        raise AssertionError("the chunks don't join to the text")
    if counts != [chunk.tokens for chunk in chunks] or max(counts) > LIMIT:
        raise AssertionError("a chunk isn't counted right")
    return f"{ours / bare:.2f} ({ours:.1f} s)"


if __name__ == "__main__":
    main()
