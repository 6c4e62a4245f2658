"""Texts in files of each format: in the parts of it where a text may stand."""

import html
import re
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from functools import partial

from tasks.documents.readers.grammars import GRAMMARS
from tasks.documents.readers.kinds import Kind
from tasks.documents.readers.read import read
from tests.costs.consumers import quietly
from tests.costs.measured import Consumer
from tests.documents import made

NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
PAGE = 2000
# Characters: the standard library takes the square of a header.
HEADER = 200_000


def _of(kind: Kind | None, name: str, put: Callable[[str], bytes]) -> Consumer:
    def consumer(text: str) -> Callable[[], object]:
        data = put(text)
        return partial(quietly, lambda _: read(data, kind, name), "")

    return consumer


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _xml(text: str) -> str:
    return html.escape(NO_XML.sub(" ", text))


def _pdf(pages: list[str]) -> bytes:
    shown = (re.sub(r"([()\\])", r"\\\1", page).encode("latin-1", "replace").decode("latin-1") for page in pages)
    return made.pdf([page.splitlines() for page in shown])


def _pages(text: str) -> list[str]:
    return [text[start : start + PAGE] for start in range(0, len(text), PAGE)]


def _message(text: str) -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"] = "ann@example.org", "The mill"
    message.set_content(text)
    return bytes(message)


def _header(name: str, text: str) -> bytes:
    """A message one of whose headers is the text, folded wherever it has a line's end."""
    value = "\n ".join(text[:HEADER].splitlines())
    return _raw(f"From: ann@example.org\n{name} {value}\n\nbody\n")


def _html_mail(text: str) -> bytes:
    return _raw(f"From: a@b.org\nContent-Type: text/html; charset=utf-8\n\n<p>{text}</p>\n")


def _parts(text: str) -> bytes:
    """A message of parts, the text where they should begin and end."""
    return _raw(f"From: a@b.org\nContent-Type: multipart/mixed; boundary=a\n\n{text}\n--a\n\n{text}\n--a--\n")


def _cell(text: str) -> bytes:
    return made.docx(("Normal", "</w:t></w:r></w:p><w:tbl><w:tr><w:tc><w:p><w:r><w:t>" + _xml(text)
        + "</w:t></w:r></w:p></w:tc></w:tr></w:tbl><w:p><w:r><w:t>"))  # fmt: skip


# By kind: the places of a format, and how to put a text there.
PLACES: Mapping[Kind, Mapping[str, Callable[[str], bytes]]] = {
    "html": {
        "page": lambda text: _raw(f"<html><body><p>{text}</p></body></html>"),
        "text of a page": lambda text: _raw(f"<html><body><p>{_xml(text)}</p></body></html>"),
        "preformatted text": lambda text: _raw(f"<html><title>{_xml(text)}</title><pre>{_xml(text)}</pre></html>"),
        "cell of a table": lambda text: _raw(f"<table><tr><td>a<td>{_xml(text)}</table>"),
    },
    "mail": {
        "body": _message,
        "body in HTML": _html_mail,
        "parts": _parts,
        "subject": partial(_header, "Subject:"),
        "receivers": partial(_header, "To:"),
        "date": partial(_header, "Date:"),
        "type": partial(_header, "Content-Type: text/plain; charset="),
        "name of an attachment": partial(_header, "Content-Disposition: attachment; filename="),
    },
    "docx": {"paragraph": lambda text: made.docx(("Heading1", "a"), ("Normal", _xml(text))), "cell": _cell},
    "xlsx": {
        "cell": lambda text: made.xlsx(a=[["a", NO_XML.sub(" ", text[:32_000])]]),
        "column": lambda text: made.xlsx(a=[[NO_XML.sub(" ", line)] for line in _pages(text)]),
    },
    "pptx": {"slide": lambda text: made.pptx(("a", NO_XML.sub(" ", text)))},
    "epub": {
        "chapter": lambda text: made.epub(f"<html><body><p>{_xml(text)}</p></body></html>"),
        "chapter of marks": lambda text: made.epub(f"<html><body>{NO_XML.sub(' ', text)}</body></html>"),
    },
    "pdf": {"page": lambda text: _pdf([text]), "pages": lambda text: _pdf(_pages(text))},
    "gzip": {"text": lambda text: made.packed(_raw(text))},
    "code": {},
}
FILES: Mapping[str, Consumer] = {
    **{
        f"{kind}: {place}": _of(kind, f"a.{kind}", put)
        for kind, places in PLACES.items()
        for place, put in places.items()
    },
    **{f"code: {name}": _of("code", f"a{suffixes[0]}", _raw) for name, suffixes in GRAMMARS.items()},
    **{f"text: {suffix}": _of(None, f"a{suffix}", _raw) for suffix in (".txt", ".md", ".rst")},
}
