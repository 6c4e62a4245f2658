"""E-mail to text: who, when and what about, each text that a person sees, and the messages within it."""

from collections.abc import Iterator

import regex

from tasks.base.errors import DocumentFailed
from tasks.documents.document import Content, Unread
from tasks.documents.encodings.decode import decode
from tasks.documents.readers.html.charset import declared
from tasks.documents.readers.mail import plain
from tasks.documents.readers.mail.calendar import summary
from tasks.documents.readers.mail.headers import words
from tasks.documents.readers.mail.parts import MailPart, body_of, part_of
from tasks.documents.readers.mail.walk import DEEPEST, MailLeaf, leaves
from tasks.documents.readers.markup import read_html

HEADERS = ("From", "To", "Cc", "Date", "Subject")
BEFORE = b"\xef\xbb\xbf \t\r\n"
# How a mailbox (mbox) parts its messages.
FROM_LINE = regex.compile(rb"(?:\A|(?<=\n)\r?\n)From [^\n]{1,200}\d{4}[^\n]{0,20}\n(?=[!-9;-~]+:)")
PARTED = "\n\n"
ENCRYPTED = "it is encrypted: decrypt it in a mail program, and save it from there"


class _Piece:
    """A piece of the text: a message's headers with the names of what it carries, or one of its texts."""

    def __init__(self, text: str, unread: list[Unread] | None = None) -> None:
        self.text = text
        self.unread = unread or []


def read_mail(data: bytes) -> Content:
    """Return a message, or all of a mailbox: headers, texts in order, the best one of several forms of a text.

    A text that can't be read, or only in part, is told; an attachment is named in the text.
    Raises DocumentFailed with reason `no_text` where nothing can be read.
    """
    data = data.lstrip(BEFORE)
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    pieces: list[_Piece] = []
    for message in _messages(data):
        pieces += _pieces(message)
    return _together(pieces)


def _messages(data: bytes) -> Iterator[MailPart]:
    """Yield the messages of a mailbox, which begins with the line before its first one; or the only message."""
    found = list(FROM_LINE.finditer(data)) if data.startswith(b"From ") else []
    if not found or found[0].start() > 0:
        yield part_of(data)
        return
    ends = [*(match.start() for match in found[1:]), len(data)]
    for match, end in zip(found, ends, strict=True):
        yield part_of(data, match.end(), end)


def _together(pieces: list[_Piece]) -> Content:
    texts: list[str] = []
    unread: list[Unread] = []
    length = 0
    for piece in pieces:
        unread += [one._replace(start=length + min(one.start, len(piece.text))) for one in piece.unread]
        if piece.text or not texts:
            texts.append(piece.text)
            length += len(piece.text) + len(PARTED)
    text = PARTED.join(texts)
    if unread and not text.strip():
        raise DocumentFailed("no_text", f"{unread[0].part}: {unread[0].reason}")
    return Content(text + "\n", (), unread=tuple(one._replace(start=min(one.start, len(text))) for one in unread))


def _pieces(message: MailPart) -> list[_Piece]:
    heads: dict[int, _Piece] = {}
    pieces: list[_Piece] = []
    for leaf in leaves(message):
        if leaf.role == "message":
            heads[leaf.message] = _head(leaf)
            pieces.append(heads[leaf.message])
            continue
        piece, attached = _read(leaf)
        pieces += [piece] if piece else []
        if attached:
            head = heads[leaf.message]
            head.text = "\n".join(filter(None, [head.text, *(f"Attachment, not read: {name}" for name in attached)]))
    return pieces


def _head(leaf: MailLeaf) -> _Piece:
    """Return a message's headers, each decoded; one within another says so."""
    lines, lost = ["Message within the message:"] if leaf.message else [], leaf.part.lost
    for name in HEADERS:
        for value in leaf.part.headers.get_all(name, []):
            found = words(str(value))
            lost += found.lost
            lines += [f"{name}: {found.text}"] if found.text else []
    return _Piece("\n".join(lines), [Unread(0, "headers", _lost(lost, "its charset"))] if lost else [])


def _read(leaf: MailLeaf) -> tuple[_Piece | None, list[str]]:
    """Return the text of a part, if it has one, and the names of what is attached."""
    name = f"part {leaf.number} ({leaf.part.kind})" if leaf.number > 1 else "body"
    if leaf.role == "attached":
        return None, [leaf.part.filename or leaf.part.kind]
    if leaf.role == "encrypted":
        return _Piece("", [Unread(0, "body" if leaf.number <= 2 else name, ENCRYPTED)]), []
    if leaf.role == "too_deep":
        reason = f"it lies more than {DEEPEST} messages and parts deep: save that message by itself"
        return _Piece("", [Unread(0, name, reason)]), []
    return _text(leaf.part, name)


def _text(part: MailPart, name: str) -> tuple[_Piece, list[str]]:
    raw, wrong = body_of(part)
    charset = part.parameter("charset") or (declared(raw) if part.kind == "text/html" else "")
    unread = [Unread(0, name, wrong)] if wrong else []
    try:
        text, encoding, _, lost = decode(raw, charset)
    except DocumentFailed as error:
        return _Piece("", [*unread, Unread(0, name, str(error))]), []
    if lost:
        unread.append(Unread(max(text.find("\ufffd"), 0), name, _lost(lost, encoding)))
    text = plain.with_plain_ends(text)
    if part.kind == "text/html":
        return _Piece(read_html(text).strip("\n"), unread), []
    if part.kind == "text/calendar":
        return _Piece(summary(text), unread), []
    if part.kind in ("text/enriched", "text/richtext"):
        return _Piece(plain.of_enriched(text).strip("\n"), unread), []
    return _plain(part, text, name, unread)


def _plain(part: MailPart, text: str, name: str, unread: list[Unread]) -> tuple[_Piece, list[str]]:
    if part.parameter("format").lower() == "flowed":
        text = plain.unflowed(text, deletes_space=part.parameter("delsp").lower() == "yes")
    text, files = plain.without_files(text)
    text, place = plain.without_cipher(text)
    if place is not None:
        unread.append(Unread(place, name, ENCRYPTED))
    return _Piece(text.strip("\n"), unread), files


def _lost(count: int, encoding: str) -> str:
    letters = "a character can't be read" if count == 1 else f"{count} characters can't be read"
    return f"{letters}, the bytes aren't text in {encoding}: ask for it to be sent again"
