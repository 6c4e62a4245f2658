"""What of a message is shown, in which order: its texts, the messages within it, and what else it carries."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from tasks.documents.readers.mail.parts import MailPart, body_of, part_of, parts_of
from tasks.documents.readers.mail.smime import signed_content

DEEPEST = 100
MESSAGES = ("message/rfc822", "message/global", "message/news")
# Reports about a message, which are text.
REPORTS = (
    "message/delivery-status", "message/disposition-notification", "message/feedback-report", "text/rfc822-headers",
    "message/global-delivery-status", "message/global-headers", "message/partial", "message/http",
)  # fmt: skip
BODIES = ("text/plain", "text/html", "text/enriched", "text/richtext", "text/calendar")
NO_TEXT = ("text/css", "text/javascript", "text/x-amp-html", "text/rtf", "text/richtext+zip")
SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
CRYPTED = ("application/pkcs7-mime", "application/x-pkcs7-mime")

# A page says more than the plain text beside it where that is shorter than this, and this many times shorter.
STUB, FULLER = 300, 10

Role = Literal["message", "text", "attached", "encrypted", "too_deep"]


class MailLeaf(NamedTuple):
    """Something to show, the number of the message that it belongs to, and its own number among the parts."""

    role: Role
    part: MailPart
    message: int
    number: int


class _Waiting(NamedTuple):
    part: MailPart
    message: int
    depth: int
    # Whether it is a message's body or the first part of that, a form that isn't shown, or referred to by a page.
    first: bool = False
    unseen: bool = False
    referred: bool = False


def leaves(message: MailPart) -> Iterator[MailLeaf]:
    """Yield what a message shows, in its order; `message` comes before what belongs to it.

    Nothing is called within itself, so that no depth of nesting fails.
    """
    yield MailLeaf("message", message, 0, 0)
    stack = [_Waiting(message, 0, 0, first=True)]
    messages = number = 0
    while stack:
        one = stack.pop()
        part, kind = one.part, one.part.kind
        number += 1
        if one.depth > DEEPEST:
            yield MailLeaf("too_deep", part, one.message, number)
        elif kind in MESSAGES:
            if not one.unseen:
                messages += 1
                inner = part_of(body_of(part)[0]) if _is_packed(part) else part_of(part.data, part.start, part.end)
                yield MailLeaf("message", inner, messages, number)
                stack.append(_Waiting(inner, messages, one.depth + 1, first=True))
        elif kind == "multipart/encrypted":
            yield MailLeaf("encrypted", part, one.message, number)
        elif kind.startswith("multipart/") and (within := _within(part)):
            stack += reversed(_children(one, within))
        elif kind in CRYPTED and not one.unseen:
            inner_data = signed_content(body_of(part)[0])
            if inner_data is None:
                yield MailLeaf("encrypted", part, one.message, number)
            else:
                stack.append(_Waiting(part_of(inner_data), one.message, one.depth + 1, first=True))
        elif role := _role(one):
            yield MailLeaf(role, part, one.message, number)


def _within(part: MailPart) -> list[MailPart]:
    """Return the parts of a multipart; some pack it as a whole, though nobody should."""
    found = parts_of(part)
    if found or not _is_packed(part):
        return found
    data = body_of(part)[0]
    return parts_of(part._replace(data=data, start=0, end=len(data)))


def _is_packed(part: MailPart) -> bool:
    packing = str(part.headers.get("Content-Transfer-Encoding", "")).strip().lower()
    return packing in ("base64", "quoted-printable")


def _children(one: _Waiting, parts: list[MailPart]) -> list[_Waiting]:
    """Return the parts of a multipart, and how each is seen."""
    waiting = [_Waiting(part, one.message, one.depth + 1, unseen=one.unseen) for part in parts]
    kind = one.part.kind
    if kind == "multipart/alternative":
        chosen = _chosen(parts)
        return [each._replace(first=one.first, unseen=one.unseen or each.part is not chosen) for each in waiting]
    if kind == "multipart/related":
        root = _root(one.part, parts)
        return [each._replace(first=each.part is root, referred=each.part is not root) for each in waiting]
    return [waiting[0]._replace(first=one.first), *waiting[1:]]


def _root(related: MailPart, parts: list[MailPart]) -> MailPart:
    start = related.parameter("start").strip("<> ")
    return next((part for part in parts if start and _identity(part) == start), parts[0])


def _identity(part: MailPart) -> str:
    return str(part.headers.get("Content-ID", "")).strip("<> ")


def _chosen(parts: list[MailPart]) -> MailPart:
    """Return the form to read: plain text, unless it is empty or says little of what the page says, else the page."""
    forms: dict[str, tuple[MailPart, int]] = {}
    for part in parts:
        for kind, size in _texts(part):
            if size and kind not in forms:
                forms[kind] = part, size
    plain, page = forms.get("text/plain"), forms.get("text/html")
    if plain and not (page and plain[1] < STUB and plain[1] * FULLER < page[1]):
        return plain[0]
    others = [form for kind, form in forms.items() if kind not in ("text/calendar", *NO_TEXT)]
    return (page or next(iter(others), None) or (parts[-1], 0))[0]


def _texts(part: MailPart) -> Iterator[tuple[str, int]]:
    """Yield the kinds of text in a part, and how many bytes of it aren't space."""
    stack = [(part, 0)]
    while stack:
        one, depth = stack.pop()
        if one.kind.startswith("multipart/") and depth < DEEPEST:
            stack += [(inner, depth + 1) for inner in reversed(_within(one))]
        elif one.kind.startswith("text/") and one.disposition != "attachment":
            yield one.kind, len(body_of(one)[0].strip())


def _role(one: _Waiting) -> Role | None:
    """Return what a part that holds no others is to a person; None for what isn't seen."""
    part, kind = one.part, one.part.kind
    if kind in SIGNATURES:
        return None
    if one.unseen:
        attached = part.disposition == "attachment" and part.filename
        return "attached" if attached else "text" if kind == "text/calendar" else None
    # A multipart is here because its boundary isn't to be found: a person sees it as it is.
    if kind in REPORTS or kind.startswith("multipart/"):
        return "text"
    return "text" if kind.startswith("text/") and kind not in NO_TEXT and not _is_attached(one) else "attached"


def _is_attached(one: _Waiting) -> bool:
    """Whether a text is a file of its own, or part of what a page is made of."""
    part = one.part
    if one.referred and (part.filename or _identity(part) or part.headers.get("Content-Location")):
        return True
    if one.first or not part.filename:
        return part.disposition == "attachment" and not one.first
    return part.disposition != "inline" or part.kind not in BODIES
