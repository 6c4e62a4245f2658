"""E-mail to text: who, when and what about, and the body; attachments are named."""

from email import message_from_bytes, policy
from email.message import EmailMessage

from tasks.documents.readers.markup import read_html

HEADERS = ("From", "To", "Cc", "Date", "Subject")


def read_mail(data: bytes) -> str:
    """Return a message (RFC 5322, MIME): its plain body, or its HTML body as Markdown."""
    message = message_from_bytes(data, _class=EmailMessage, policy=policy.default)
    lines = [f"{name}: {message[name]}" for name in HEADERS if message[name]]
    names = [part.get_filename() or part.get_content_type() for part in message.iter_attachments()]
    lines += [f"Attachment, not read: {name}" for name in names]
    body = message.get_body(("plain", "html"))
    text = str(body.get_content()) if body else ""
    if body and body.get_content_subtype() == "html":
        text = read_html(text)
    return "\n".join(lines) + "\n\n" + text
