"""The encoding of a page: by its mark, its declaration, or its bytes, as browsers read it."""

import re

from tasks.documents.encodings.charsets import codec_of
from tasks.documents.encodings.decode import decode
from tasks.documents.encodings.losses import Decoded

HEAD = 4096  # bytes in which the declaration is looked for
DECLARED = re.compile(
    rb"<\?xml[^>]{0,200}?encoding\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})"
    rb"|<meta[^<>]{0,500}?charset\s{0,9}=\s{0,9}[\"']?\s{0,9}([\w.:-]{1,40})",
    re.IGNORECASE,
)


def decode_page(data: bytes) -> Decoded:
    """Return a page's text, and which of its lines couldn't be read.

    What it declares holds unless it is sound UTF-8; a bad byte spoils only itself.

    Raises DocumentFailed with reason `not_text` where nothing is declared and no encoding fits.
    """
    return decode(data, declared(data))


def declared(data: bytes) -> str:
    """Return the charset that a page states and somebody knows, or nothing."""
    found = ((one[1] or one[2]).decode("ascii") for one in DECLARED.finditer(data[:HEAD]))
    return next((charset for charset in found if codec_of(charset)), "")
