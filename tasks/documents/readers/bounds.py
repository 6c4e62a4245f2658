"""Bounds on compressed files, so that a small one can't become an endless one."""

import gzip
import io
import zipfile
import zlib

from tasks.base.errors import DocumentFailed

MOST_BYTES = 512 * 1024 * 1024
MOST_MEMBERS = 20_000
# Text and XML seldom shrink to less than a fiftieth; small files don't matter.
MOST_RATIO, SMALL = 200, 10 * 1024 * 1024
STEP = 1024 * 1024


def check_archive(data: bytes) -> None:
    """Raise DocumentFailed with reason `too_large` or `encrypted` for a ZIP file that isn't to be opened.

    The sizes are those that the archive itself tells; zipfile reads no more than that.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
    if any(member.flag_bits & 1 for member in members):
        raise DocumentFailed("encrypted", "the file is encrypted: save it without a password")
    total = sum(member.file_size for member in members)
    if len(members) > MOST_MEMBERS:
        raise DocumentFailed("too_large", f"the file holds {len(members)} parts, more than {MOST_MEMBERS}")
    check_growth(total, len(data))


def unzip(data: bytes) -> bytes:
    """Decompress a gzip file. Raises DocumentFailed with reason `too_large` or `damaged`."""
    parts: list[bytes] = []
    total = 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while part := file.read(STEP):
                total += len(part)
                check_growth(total, len(data))
                parts.append(part)
    except (OSError, EOFError, zlib.error) as error:
        raise DocumentFailed("damaged", f"this gzip file is damaged: {error}") from error
    return b"".join(parts)


def check_growth(total: int, packed: int) -> None:
    """Raise DocumentFailed with reason `too_large` where `packed` bytes become far too many."""
    if total > MOST_BYTES or (total > SMALL and total > MOST_RATIO * packed):
        raise DocumentFailed(
            "too_large",
            f"{packed} bytes become {total} or more when unpacked: more than {MOST_BYTES} bytes, or than {MOST_RATIO} "
            "times as many, are not read",
        )
