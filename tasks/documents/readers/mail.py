"""E-mail to text (RFC 5322, MIME): who, when and what about, and every text that its reader sees, in order.

Forwarded messages are read with headers of their own; attachments are named. A text's charset is taken
at its word unless it is unknown, or the text can't be in it.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.errors import InvalidBase64LengthDefect
from email.message import Message

from tasks.documents.decode import decode
from tasks.documents.document import Content, Unread
from tasks.documents.readers.headers import header, parameter
from tasks.documents.readers.markup import read_html
from tasks.errors import DocumentFailed

HEADERS = ("From", "To", "Cc", "Date", "Subject")
# The best that we read of several forms of one text; a form that isn't text at all is the last choice.
FORMS = ("text/plain", "text/html", "text/")
ENCRYPTED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
MESSAGES = ("message/rfc822", "message/global", "message/news")
MOST_PARTS = 10_000
# An mbox: messages in one file, each behind a line that begins so.
MBOX = re.compile(rb"(?:\A|(?<=\n))From [^\n]*\n(?=[A-Za-z-]+:)")
NOT_BASE64 = re.compile("[^A-Za-z0-9+/]")
FLOWED = re.compile(r"(?i)flowed")


@dataclass(slots=True)
class _Text:
    """What was read so far, and what couldn't be."""

    pieces: list[str] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    length: int = 0

    def add(self, text: str) -> None:
        self.pieces.append(text)
        self.length += len(text)

    def lose(self, part: str, reason: str) -> None:
        self.unread.append(Unread(self.length, part, reason))


def read_mail(data: bytes) -> Content:
    """Return a message, or all those of an mbox; of what can't be read, where it would stand.

    Raises DocumentFailed with reason `no_text` where nothing can.
    """
    found = _Text()
    messages = [one for one in MBOX.split(data) if one] if data.startswith(b"From ") else [data]
    for number, raw in enumerate(messages):
        found.add("\n\n" if number else "")
        _message(message_from_bytes(raw, policy=policy.compat32), found)
    text = "".join(found.pieces)
    if found.unread and not text.strip():
        raise DocumentFailed("no_text", f"{found.unread[0].part} {found.unread[0].reason}")
    return Content(text, unread=tuple(found.unread))


def _message(message: Message, found: _Text) -> None:
    """Read a message and, in their places, those within it; a stack in place of recursion bounds no depth."""
    waiting: list[tuple[Message | str, bool]] = [(message, True)]
    seen = 0
    while waiting and seen < MOST_PARTS:
        seen += 1
        part, is_message = waiting.pop()
        if isinstance(part, str):
            found.add(part)
        elif is_message:
            found.add(_head(part))
            waiting += reversed(list(_shown(part, found)))
        else:
            _leaf(part, found)
    if waiting:
        found.lose("the parts behind the first ten thousand", "the message has too many: split it")


def _inner(part: Message) -> Message:
    inner = part.get_payload(0) if part.is_multipart() else message_from_bytes(_decoded(part, _Text()))
    return inner if isinstance(inner, Message) else part


def _head(message: Message) -> str:
    """Return the headers that a reader sees, the attachments' names, and an empty line."""
    lines = [f"{name}: {value}" for name in HEADERS if (value := header(message, name))]
    lines += [f"Attachment, not read: {_name(part)}" for part in _leaves(message) if not _is_shown(part)]
    return "\n".join(lines) + "\n\n"


def _name(part: Message) -> str:
    return parameter(part, "filename", "content-disposition") or parameter(part, "name") or part.get_content_type()


def _leaves(message: Message) -> Iterator[Message]:
    """Yield the parts of a message that hold no others, forwarded messages among them, alternatives left out."""
    stack = [message]
    while stack:
        part = stack.pop()
        if part.get_content_maintype() == "message" and part is not message:
            yield part
        elif part.is_multipart():
            stack += reversed(_chosen(part))
        else:
            yield part


def _chosen(part: Message) -> list[Message]:
    """Return the parts of a multipart that count: of alternatives the best, of a signed text the text."""
    parts = [one for one in part.get_payload() if isinstance(one, Message)]
    kind = part.get_content_type()
    if kind == "multipart/alternative" and parts:
        return [min(parts, key=_rank)]
    return parts[:1] if kind == "multipart/signed" else parts


def _rank(part: Message) -> int:
    """Return how well a form of a text suits, 0 the best: by the first text within it."""
    types = [one.get_content_type() for one in _leaves(part)]
    return min(
        (number for number, form in enumerate(FORMS) if any(one.startswith(form) for one in types)), default=len(FORMS)
    )


def _shown(message: Message, found: _Text) -> Iterator[tuple[Message | str, bool]]:
    """Yield the parts that a reader sees, with what stands between them, and whether each is a message of its own."""
    if message.get_content_type() in ENCRYPTED:
        found.lose("the body", "is encrypted: save the message decrypted")
        return
    for number, part in enumerate(part for part in _leaves(message) if _is_shown(part)):
        if number:
            yield "\n\n", False
        is_message = part.get_content_type() in MESSAGES
        yield (_inner(part) if is_message else part), is_message


def _is_shown(part: Message) -> bool:
    """Whether a reader sees a part within the message: text that isn't attached as a file, and forwarded messages."""
    kind = part.get_content_type()
    if kind in MESSAGES or kind in ENCRYPTED:
        return True
    if not kind.startswith("text/") and kind not in ("message/delivery-status", "message/disposition-notification"):
        return False
    is_file = part.get_content_disposition() == "attachment" or bool(parameter(part, "filename", "content-disposition"))
    return not is_file


def _leaf(part: Message, found: _Text) -> None:
    """Read one text."""
    if part.get_content_type() in ENCRYPTED:
        found.lose("a part", "is encrypted: save the message decrypted")
        return
    charset = parameter(part, "charset")
    try:
        text, encoding, unread = decode(_decoded(part, found), charset)
    except DocumentFailed as error:
        found.lose("a part of the text", f"can't be read: {error}")
        return
    if unread:
        words = f"holds bytes that aren't text in {encoding}: ask for the message as UTF-8"
        found.lose(f"a text in {charset or 'no charset'}", words)
    if part.get_content_type() == "text/html":
        text = read_html(text)
    elif FLOWED.search(parameter(part, "format")):
        text = _unflowed(text, joined=parameter(part, "delsp").lower() == "yes")
    found.add(text.replace("\r\n", "\n"))


def _decoded(part: Message, found: _Text) -> bytes:
    """Return a part's bytes, whatever is wrong with their transfer encoding."""
    if part.is_multipart():  # the fields of a delivery's status
        return b"\n".join(one.as_bytes() for one in part.get_payload() if isinstance(one, Message))
    payload = part.get_payload(decode=True)
    if any(isinstance(defect, InvalidBase64LengthDefect) for defect in part.defects):
        found.lose("the end of a part", "is cut off: ask for the message again")
        clean = NOT_BASE64.sub("", str(part.get_payload()))
        return binascii.a2b_base64(clean[: len(clean) // 4 * 4])
    return payload if isinstance(payload, bytes) else b""


def _unflowed(text: str, *, joined: bool) -> str:
    """Join the lines of a paragraph that was broken for sending (RFC 3676); with `joined` without their last space."""
    lines: list[str] = []
    flows = False
    for line in text.replace("\r\n", "\n").split("\n"):
        line = line.removeprefix(" ") if not line.startswith(">") else line  # noqa: PLW2901 - its stuffing
        if flows and not line.startswith(">"):
            lines[-1] += line
        else:
            lines.append(line)
        flows = line.endswith(" ") and line != "-- " and not line.startswith(">")
        if flows and joined:
            lines[-1] = lines[-1].removesuffix(" ")
    return "\n".join(lines)
