"""Every text of a message that a person sees is read, in order, letter for letter."""
# ruff: noqa: E501 - a message stands in one piece

import base64
from email.message import EmailMessage
from pathlib import Path

import pytest

from tasks.documents.document import Content
from tasks.documents.readers.mail import read_mail

SAMPLES = Path(__file__).parent / "samples"
GREETING = "Grüße aus der Straße, café"


def mail(headers: str, body: bytes) -> bytes:
    return b"From: a@b.c\r\n" + headers.encode("utf-8") + b"\r\n" + body


def text_of(data: bytes) -> str:
    return read_mail(data).text.partition("\n\n")[2]


@pytest.mark.parametrize("name", ["12_mail.eml", "charset_cp-850.eml", "no_charset_utf8.eml"])
def test_a_sample_is_read_as_a_person_sees_it(name: str) -> None:
    content = read_mail((SAMPLES / name).read_bytes())
    assert content.text == (SAMPLES / f"{name}.txt").read_text()
    assert content.unread == ()


CHARSETS = [
    ("utf-8", "utf-8"), ("UTF8", "utf-8"), ("utf8mb4", "utf-8"), ("cp-850", "cp850"), ("cp850", "cp850"), ("ibm850", "cp850"),
    ("iso-8859-1", "cp1252"), ("latin1", "latin-1"), ("windows-1252", "cp1252"), ("x-unknown", "utf-8"), ("default", "utf-8"),
    ("us-ascii", "utf-8"), ("unicode-1-1-utf-7", "utf-7"), ("iso-8859-15", "iso-8859-15"), ("macintosh", "mac_roman"),
    ("iso-8859-1", "utf-8"), ("us-ascii", "cp1252"),
]  # fmt: skip


@pytest.mark.parametrize(("label", "codec"), CHARSETS)
def test_a_text_is_read_whatever_its_charset_is_called(label: str, codec: str) -> None:
    data = mail(f'Content-Type: text/plain; charset="{label}"\r\n', f"{GREETING}\r\n".encode(codec) * 20)
    assert text_of(data) == f"{GREETING}\n" * 20


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("gb2312", "gb18030", "\u4f1a\u8bae\u5728\u4e1c\u4eac\uff0c\u4ef7\u683c\u5f88\u597d"),
        ("ks_c_5601-1987", "cp949", "\ud68c\uc758\ub294 \uc11c\uc6b8\uc785\ub2c8\ub2e4"),
        ("shift_jis", "cp932", "\u4f1a\u5834\u306f\u6771\u4eac\u3067\u3059\u3002\u2460"),
        ("iso-2022-jp", "iso2022_jp", "\u4f1a\u5834\u306f\u6771\u4eac\u3067\u3059\u3002"),
        ("koi8-r", "koi8_r", "\u0412\u0441\u0442\u0440\u0435\u0447\u0430 \u0432 \u041c\u043e\u0441\u043a\u0432\u0435"),
        (
            "iso-8859-8-i",
            "iso8859_8",
            "\u05e4\u05d2\u05d9\u05e9\u05d4 \u05d1\u05d9\u05e8\u05d5\u05e9\u05dc\u05d9\u05dd",
        ),
    ],
)
def test_charsets_that_mean_more_than_they_say(label: str, codec: str, text: str) -> None:
    data = mail(f"Content-Type: text/plain; charset={label}\r\n", text.encode(codec))
    assert text_of(data) == text


def parts(*kinds: tuple[str, str], outer: str = "mixed") -> bytes:
    body = "".join(f"--b\r\n{headers}\r\n\r\n{text}\r\n" for headers, text in kinds)
    return mail(f"Content-Type: multipart/{outer}; boundary=b\r\n", f"{body}--b--\r\n".encode())


PLAIN, HTML = "Content-Type: text/plain", "Content-Type: text/html"
IMAGE = "Content-Type: image/png; name=plan.png"
FORWARDED = "Content-Type: message/rfc822"
INNER = "From: x@y.z\r\nSubject: Inner\r\n\r\nThe inner text."
SEEN: list[tuple[bytes, list[str], list[str]]] = [
    (parts((PLAIN, "One."), (IMAGE, "x"), (PLAIN, "Two.")), ["plan.png", "One.", "Two."], []),
    (parts((PLAIN, "One."), (HTML, "<p>Two.</p>")), ["One.", "Two."], ["<p>"]),
    (parts((PLAIN, "One."), (HTML, "<p>One!</p>"), outer="alternative"), ["One."], ["One!"]),
    (parts(("Content-Type: text/calendar", "BEGIN:VCALENDAR"), (HTML, "<p>One.</p>"), outer="alternative"), ["One."], ["BEGIN"]),
    (parts((HTML, "<p>One.</p>"), (IMAGE, "x"), outer="related"), ["One.", "plan.png"], []),
    (parts((PLAIN, "One."), (f"{PLAIN}\r\nContent-Disposition: attachment; filename=a.txt", "Two.")), ["One.", "not read: a.txt"], ["Two."]),
    (parts((PLAIN, "One."), (FORWARDED, INNER)), ["One.", "From: x@y.z", "Subject: Inner", "The inner text."], []),
    (parts((FORWARDED, INNER), (FORWARDED, INNER.replace("inner", "other")), outer="digest"), ["The inner text.", "The other text."], []),
    (parts((PLAIN, "One."), ("Content-Type: application/pgp-signature", "x"), outer="signed"), ["One."], ["signature"]),
    (parts((PLAIN, "One."), ("Content-Type: message/delivery-status", "Reporting-MTA: dns; a\r\n\r\nStatus: 5.1.1")), ["One.", "Status: 5.1.1"], []),
    (b"From x Mon Jan 1\nFrom: a@b.c\n\nOne.\n\nFrom y Tue Jan 2\nFrom: d@e.f\n\nTwo.\n", ["a@b.c", "One.", "d@e.f", "Two."], []),
]  # fmt: skip


@pytest.mark.parametrize(("data", "seen", "unseen"), SEEN)
def test_each_text_that_a_person_sees_is_read_in_order(data: bytes, seen: list[str], unseen: list[str]) -> None:
    text = read_mail(data).text
    places = [text.find(words) for words in seen]
    assert min(places) >= 0
    assert places[-1] == max(places) or "not read" in " ".join(seen) or "plan.png" in seen
    assert not [words for words in unseen if words in text]


@pytest.mark.parametrize(
    "subject",
    [
        "=?utf-8?B?" + base64.b64encode("Grüße".encode()).decode() + "?=",
        "=?utf-8?q?Gr=C3=BC=C3=9Fe?=",
        "=?iso-8859-1?q?Gr=FC=DFe?=",
        "=?x-unknown?q?Gr=C3=BC=C3=9Fe?=",
        "=?utf-8?q?Gr?= =?utf-8?q?=C3=BC=C3=9Fe?=",
        "=?utf-8?q?Gr=C3?=\r\n =?utf-8?q?=BC=C3=9Fe?=",
        "Grüße",
        "  Grüße  ",
    ],
)
def test_a_header_is_read_in_whatever_way_it_is_encoded(subject: str) -> None:
    assert "Subject: Grüße" in read_mail(mail(f"Subject: {subject}\r\n", b"x")).text


def test_what_is_encrypted_or_cut_off_is_told() -> None:
    sealed = read_mail(parts((PLAIN, "One."), ("Content-Type: application/pkcs7-mime", "x")))
    assert [part.part for part in sealed.unread] == ["a part"]
    broken = mail("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n", b"R3LDvMOfZ\r\n")
    assert [part.part for part in read_mail(broken).unread] == ["the end of a part"]
    assert text_of(broken) == "Grüß"


def test_letters_that_cannot_be_read_are_told() -> None:
    data = mail("Content-Type: text/plain; charset=utf-8\r\n", "Straße ".encode() * 30 + b"caf\xc3 ")
    content = read_mail(data)
    assert "\ufffd" in content.text
    assert len(content.unread) == 1


def test_messages_within_messages_are_read_at_any_depth() -> None:
    message = EmailMessage()
    message["Subject"] = "the innermost"
    message.set_content("The end.")
    for _ in range(30):
        outer = EmailMessage()
        outer.set_content("Forwarded.")
        outer.add_attachment(message)
        message = outer
    found: Content = read_mail(message.as_bytes())
    assert "The end." in found.text
    assert found.unread == ()


def test_flowed_lines_are_joined() -> None:
    flowed = mail("Content-Type: text/plain; format=flowed\r\n", b"One \r\ntwo.\r\n\r\n Three \r\n> four \r\n")
    assert text_of(flowed) == "One two.\n\nThree \n> four \n"
