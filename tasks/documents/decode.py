"""From bytes to text of any encoding."""

import codecs

from charset_normalizer import from_bytes

from tasks.errors import DocumentFailed

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SAMPLE = 64 * 1024


def decode(data: bytes) -> str:
    """Decode text of any encoding: by its mark, as UTF-8, or by detection.

    Raises DocumentFailed with reason `not_text` where it isn't text.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return _strictly(data, encoding)
    if b"\0" in data[:SAMPLE]:
        raise DocumentFailed("not_text", "this is a binary file, not text: leave it out or convert it")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _detected(data)


def _strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise DocumentFailed("not_text", f"the file is marked as {encoding} but isn't: {error.reason}") from error


def _detected(data: bytes) -> str:
    """Detect by the whole file where it is small, else by its first lines; then decode it all.

    The sample ends with a line: elsewhere it might end inside a character.
    """
    head = data[: 4 * SAMPLE]
    if len(head) < len(data) and b"\n" in head:
        head = head[: head.rfind(b"\n") + 1]
    best = from_bytes(head).best()
    if best is None:
        raise DocumentFailed("not_text", "no known text encoding fits: convert the file to UTF-8")
    return _strictly(data, best.encoding)
