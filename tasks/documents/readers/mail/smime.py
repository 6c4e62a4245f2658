"""The message within an S/MIME signature (CMS, RFC 5652): it is there to be read, whoever signed it."""

OF_CMS = bytes.fromhex("06092a864886f70d0107")
DATA, SIGNED = OF_CMS + b"\x01", OF_CMS + b"\x02"
HEAD = 100  # bytes in which a message says what it is
EXPLICIT, OCTETS, CONSTRUCTED = 0xA0, 0x04, 0x24
INDEFINITE = 0x80


def signed_content(data: bytes) -> bytes | None:
    """Return the message that was signed, None where these bytes are something else: encrypted, above all."""
    start = data.find(DATA)
    if SIGNED not in data[:HEAD] or start < 0:
        return None
    try:
        tag, start, _ = _head(data, start + len(DATA))
        if tag != EXPLICIT:
            return None
        tag, start, size = _head(data, start)
        return _octets(data, start, size) if tag == CONSTRUCTED else data[start : start + size]
    except IndexError:
        return None


def _octets(data: bytes, start: int, size: int) -> bytes:
    """Return the pieces of a string put together; one of indefinite length ends with two zeros."""
    pieces = []
    end = start + size if size else len(data)
    while start < end:
        tag, start, length = _head(data, start)
        if tag != OCTETS:
            break
        pieces.append(data[start : start + length])
        start += length
    return b"".join(pieces)


def _head(data: bytes, start: int) -> tuple[int, int, int]:
    """Return a tag, where what it tags begins, and its size: 0 for an indefinite one."""
    tag, size = data[start], data[start + 1]
    if size <= INDEFINITE:
        return tag, start + 2, size % INDEFINITE
    wide = size - INDEFINITE
    return tag, start + 2 + wide, int.from_bytes(data[start + 2 : start + 2 + wide], "big")
