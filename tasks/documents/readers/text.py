"""Text of any encoding, and the sections that its file's name says it has."""

from tasks.documents.document import Content
from tasks.documents.encodings.decode import decode
from tasks.documents.headings import sections_of


def read_text(data: bytes, name: str) -> Content:
    """Return a text as it was written, and which of its lines couldn't be read.

    Raises DocumentFailed with reason `not_text`.
    """
    text, _, unread, _ = decode(data)
    return Content(text, sections_of(text, name), unread=unread)
