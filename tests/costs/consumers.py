"""What goes over a document's text or a model's answer, outside the readers of formats."""

import contextlib
import io
import json
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import BinaryIO

from tasks.base.errors import DocumentFailed
from tasks.calls.section_rows import section_rows
from tasks.chunking.boundaries import slices
from tasks.chunking.outline import Outline
from tasks.chunking.splitter import split
from tasks.chunking.tokenizer import NAMES, load_tokenizer
from tasks.documents.document import Content, Document
from tasks.documents.encodings.decode import decode
from tasks.documents.extract import extract
from tasks.documents.headings import markdown_sections, rst_sections
from tasks.documents.object_store import said, shown
from tasks.documents.tables.column_types import Kinds, fitted, take_cells
from tasks.documents.tables.delimited import Delimited
from tasks.documents.tables.json_lines import JsonLines
from tasks.prompting.answer_form import make_form
from tasks.prompting.answer_parser import Invalid, parse_objects
from tasks.prompting.schema import Read
from tasks.prompting.templates import fill, guarded, stop_of
from tasks.providers.http_errors import error_in, failure
from tasks.providers.protocol import Reply
from tasks.providers.rate_limit_headers import advertised_limits, advertised_reset
from tasks.providers.streaming import EVENTS, Gathering
from tests.costs.measured import Consumer

TEMPLATE = "<document>\n{text}\n</document>\n<instruction>{column:a}</instruction>\nSum up.\n<summary>"
FORM = make_form(
    Read({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "array", "uniqueItems": True}}}),
    "list",
    (),
)
SMALL, LARGE = 100, 4000  # tokens
# Of all headers together, which aiohttp takes no more of.
HEADER = 8190
PIECE = 1000  # bytes of a stream that arrive together


def quietly(work: Callable[[str], object], text: str) -> None:
    """Do it; what is refused has been read, too."""
    with contextlib.suppress(DocumentFailed, Invalid, ValueError):
        work(text)


def over(work: Callable[[str], object]) -> Consumer:
    """A consumer of a text as it is."""
    return lambda text: partial(quietly, work, text)


def of_bytes(encoding: str, *, damaged: bytes = b"") -> Consumer:
    """A decoder of a text in an encoding, with bytes that don't fit it at its end."""

    def put(text: str) -> Callable[[], object]:
        data = text.encode(encoding, "replace") + damaged
        return lambda: quietly(lambda _: decode(data), "")

    return put


def cut(name: str, limit: int, *, overlap: int = 0) -> Consumer:
    """The chunker with a tokenizer and the text's sections, which is told to hold them in a chunk."""
    tokenizer = load_tokenizer(name)

    def work(text: str) -> None:
        outline = Outline(markdown_sections(text))
        deque(split(text, limit, tokenizer, overlap, outline), maxlen=0)

    return over(work)


def outlined(text: str) -> None:
    """What is asked of an outline."""
    sections = markdown_sections(text)
    section_rows("a", Content(text, sections))
    outline = Outline(sections)
    for start, end, _ in slices(text):
        outline.cut(start, end)
    for section in sections:
        outline.kept(text, section.start + 1)
        outline.heading(section.start + 1)


def prompted(text: str) -> None:
    """A text in a prompt, and as a prompt."""
    fill(guarded(TEMPLATE, text, text), text=text)
    fill(guarded(text, TEMPLATE), text=TEMPLATE)
    stop_of(text)


def checked(as_answer: Callable[[str], str]) -> Consumer:
    """An answer that is held against a form."""
    return lambda text: partial(quietly, partial(FORM.checked, whole=True), as_answer(text))


def refused(text: str) -> None:
    """A refusal whose words are the text, plain and in JSON."""
    failure(Reply(400, {}, text.encode("utf-8", "replace")))
    for body in ({"error": {"message": text, "code": text}}, {"detail": text, "message": text}):
        failure(Reply(429, {}, b""), error_in(body))


def limited(text: str) -> None:
    """Headers of limits that hold as much of the text as any do."""
    value = text[:HEADER]
    advertised_limits({"RateLimit-Policy": value, "x-ratelimit-limit-requests": value, f"x-ratelimit-{value}": "1"})
    advertised_reset({"ratelimit-reset": value}, wall=0.0)
    failure(Reply(429, {"retry-after": value}, b""))


def streamed(text: str) -> None:
    """A stream that comes in pieces: as it is, and as the words of events."""
    for data in (text.encode("utf-8", "replace"), b"data: " + json.dumps({"choices": [{"text": text}]}).encode()):
        gathering = Gathering()
        for start in range(0, len(data), PIECE):
            gathering.feed(data[start : start + PIECE])
        gathering.reply(Reply(200, {"content-type": EVENTS}, b""))


def table(kind: Callable[[BinaryIO], Delimited | JsonLines], as_table: Callable[[str], str]) -> Consumer:
    """The rows of a table that holds the text."""

    def put(text: str) -> Callable[[], object]:
        data = as_table(text).encode("utf-8", "replace")

        def read(_: str) -> None:
            rows = kind(io.BytesIO(data))
            deque(rows.batches(rows.columns), maxlen=0)

        return partial(quietly, read, "")

    return put


def cells(text: str) -> None:
    """Cells that hold the text's lines, and all of it."""
    values = [text, *text.splitlines()]
    kinds = Kinds()
    take_cells(values, kinds)
    fitted(values, kinds.unified())


def addressed(text: str) -> None:
    """A URL, and words of a store about one."""
    shown("https://a/" + text)
    said(OSError("s3://a/" + text))


CONSUMERS: Mapping[str, Consumer] = {
    "sections of Markdown": over(markdown_sections),
    "sections of reStructuredText": over(rst_sections),
    "outline": over(outlined),
    "text as extracted": over(lambda text: extract(Document("a", "a", 1, text=text))),
    **{f"decode {encoding}": of_bytes(encoding) for encoding in ("utf-8", "utf-16", "cp1252", "cp1251", "shift_jis")},
    "decode a damaged text": of_bytes("utf-8", damaged=b"\xff"),
    **{f"count by {name}": over(load_tokenizer(name).count) for name in NAMES},
    **{f"cut by {name}": cut(name, LARGE) for name in NAMES},
    "cut into small chunks": cut("tekken-240718", SMALL),
    "cut into chunks that overlap": cut("mistral-v3", SMALL, overlap=SMALL // 2),
    "prompt": over(prompted),
    "answer": over(parse_objects),
    "answer after thoughts": over(lambda text: parse_objects(f"<think>{text}</think>{{}}")),
    "value of an answer": checked(lambda text: json.dumps({"a": text, "b": text.split("a")})),
    "list of an answer": checked(lambda text: json.dumps({"b": [{"c": word} for word in text[: 10**4]]})),
    "refusal": over(refused),
    "headers of limits": over(limited),
    "stream": over(streamed),
    "rows of cells": table(Delimited, lambda text: "a,b\n" + text),
    "header of a table": table(Delimited, lambda text: text + "\n1,2"),
    "JSON Lines": table(JsonLines, lambda text: f'{{"a": 1}}\n{text}\n' + json.dumps({"a": text})),
    "cells of a table": over(cells),
    "URL": over(addressed),
}
