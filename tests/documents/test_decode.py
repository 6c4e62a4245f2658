"""A text stays what it is whatever single bytes of it are: a few foreign ones never spoil the whole."""
# ruff: noqa: E501 - a case stands in one piece

import codecs
from pathlib import Path

import pytest

from tasks.documents.decode import decode
from tasks.documents.document import Document
from tasks.documents.extract import extract
from tasks.errors import DocumentFailed

SAMPLES = Path(__file__).parent / "samples"
LINE = "Die Straße ist grün, das Café geöffnet.\n"
CHINESE = "\u4f1a\u8bae\u5728\u4e1c\u4eac\u4e3e\u884c\uff0c\u4ef7\u683c\u5f88\u597d\u3002\n"
RUSSIAN = "\u0412\u0441\u0442\u0440\u0435\u0447\u0430 \u0432 \u041c\u043e\u0441\u043a\u0432\u0435 \u0432 \u043f\u044f\u0442\u044c.\n"


def test_the_sample_is_read_as_a_person_sees_it() -> None:
    path = SAMPLES / "one_latin1_byte_first.txt"
    content = extract(Document(path.name, path.as_uri(), path.stat().st_size, path=str(path)))
    assert content.text == (SAMPLES / "one_latin1_byte_first.txt.txt").read_text()
    assert content.text.startswith("café\nDie Straße ist grün")
    assert content.unread == ()


BAD = "caf\xe9\n".encode("latin-1")
UTF8 = LINE.encode()
MENDED: list[tuple[bytes, str]] = [
    (BAD + UTF8 * 40, "café\n" + LINE * 40),
    (UTF8 * 40 + BAD, LINE * 40 + "café\n"),
    (UTF8 * 20 + BAD + UTF8 * 20, LINE * 20 + "café\n" + LINE * 20),
    (UTF8 * 40 + b"a \x93quote\x94\n", LINE * 40 + "a \u201cquote\u201d\n"),
    (UTF8 * 40 + b"5 \x80\n", LINE * 40 + "5 \u20ac\n"),
    (UTF8 * 30_000 + BAD, LINE * 30_000 + "café\n"),
    (codecs.BOM_UTF8 + BAD + UTF8 * 40, "café\n" + LINE * 40),
    (UTF8 * 20 + LINE.encode("cp1252") * 10, LINE * 30),
    (LINE.encode("cp1252") * 10 + UTF8 * 20, LINE * 30),
    (LINE.encode("utf-16"), LINE),
    (LINE.encode("utf-16-le") * 5, LINE * 5),
    (LINE.encode("utf-16-be") * 5, LINE * 5),
    (CHINESE.encode("utf-16-le") * 5, CHINESE * 5),
    (RUSSIAN.encode("utf-16-le") * 5, RUSSIAN * 5),
    (RUSSIAN.encode("utf-16-be") * 5, RUSSIAN * 5),
    (LINE.encode("utf-32"), LINE),
    (b"a log line\n" * 50 + b"\0\0\0\n", "a log line\n" * 50 + " \n"),
    ("\U0001f600".encode("utf-16-be", "surrogatepass").decode("utf-16-be").encode() + UTF8, "\U0001f600" + LINE),
    (b"\xed\xa0\xbd\xed\xb8\x80" + UTF8 * 5, "\U0001f600" + LINE * 5),
]


@pytest.mark.parametrize(("data", "text"), MENDED, ids=range(len(MENDED)))
def test_a_few_foreign_bytes_do_not_spoil_the_whole(data: bytes, text: str) -> None:
    found = decode(data)
    assert found.text == text
    assert found.unread == ()


@pytest.mark.parametrize(
    "cut", [UTF8 * 40 + "ß".encode()[:1], UTF8 * 40 + "\u20ac".encode()[:2], CHINESE.encode("utf-16") + b"\x01"]
)
def test_a_character_that_is_cut_off_is_told(cut: bytes) -> None:
    found = decode(cut)
    assert found.text.endswith("\ufffd")
    assert len(found.unread) == 1
    assert found.unread[0].start == len(found.text) - 1


@pytest.mark.parametrize(
    "data", [b"\x7fELF\0\0\0\x01" * 50, bytes(range(256)) * 40, b"\x89PNG\r\n\x1a\n" + b"\0\x01\x02" * 99]
)
def test_a_program_is_still_no_text(data: bytes) -> None:
    with pytest.raises(DocumentFailed):
        decode(data)
