# ruff: noqa: RUF001 - the letters of many scripts
"""Mails as a person reads them: every text in its order, in whatever charset, and what can't be read is told."""

import base64
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base.errors import DocumentFailed
from tasks.documents.document import Content
from tasks.documents.readers.kinds import kind_of
from tasks.documents.readers.mail.headers import words
from tasks.documents.readers.mail.reader import read_mail
from tasks.documents.readers.read import read

SAMPLES = Path(__file__).with_name("samples")
PNG = "Content-Type: image/png; name=a.png\nContent-Disposition: inline; filename=a.png\n\nAAAA"


def mail(body: bytes | str, kind: str = "text/plain", packing: str = "8bit", more: str = "") -> bytes:
    """A message of one part."""
    head = (
        f"From: ann@example.org\nSubject: Offer\n{more}Content-Type: {kind}\nContent-Transfer-Encoding: {packing}\n\n"
    )
    return head.encode() + (body.encode() if isinstance(body, str) else body)


def multipart(kind: str, *parts: str | bytes, head: str = "From: ann@example.org\n") -> bytes:
    """A multipart of parts, each with its headers."""
    made = [part.encode() if isinstance(part, str) else part for part in parts]
    boundary = f"b{abs(hash(tuple(made)))}"
    begin = f'{head}Content-Type: multipart/{kind}; boundary="{boundary}"\n\n'
    return (
        begin.encode()
        + b"".join(b"--%b\n%b\n" % (boundary.encode(), part) for part in made)
        + (f"--{boundary}--\n".encode())
    )


def text(words: str, kind: str = "text/plain", more: str = "") -> str:
    return f"Content-Type: {kind}; charset=utf-8\n{more}\n{words}\n"


def body(data: bytes) -> str:
    return read_mail(data).text.partition("\n\n")[2].strip("\n")


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.eml")))
def test_a_sample_reads_as_a_person_sees_it(name: str) -> None:
    content = read((SAMPLES / name).read_bytes(), "mail", name)
    assert content.text == (SAMPLES / f"{name}.txt").read_text(encoding="utf-8")
    assert content.unread == ()


GERMAN, RUSSIAN = "Grüße aus der Straße", "Совет решил построить мост через реку"
CHINESE, KOREAN, JAPANESE = "理事会决定修建一座桥", "평의회는 다리를 짓기로 했다", "評議会は会合を開いた"
LABELLED = {
    "cp-850": (GERMAN, "cp850"),
    "CP850": (GERMAN, "cp850"),
    "ibm-850": (GERMAN, "cp850"),
    '"cp850"': (GERMAN, "cp850"),
    "x-unknown": (GERMAN, "utf-8"),
    "unknown": (GERMAN, "utf-8"),
    "ansi": (GERMAN, "cp1252"),
    "": (GERMAN, "utf-8"),
    "default": (GERMAN, "cp1252"),
    "utf8mb4": (GERMAN, "utf-8"),
    "uft-8": (GERMAN, "utf-8"),
    "1": (GERMAN, "utf-8"),
    "utf-8 euao6y69zh2w": (GERMAN, "utf-8"),
    "UTF8": (GERMAN, "utf-8"),
    "us-ascii": (GERMAN, "utf-8"),
    "unicode-1-1-utf-7": (GERMAN, "utf-7"),
    "iso-8859-8-i": ("המועצה התכנסה", "iso8859-8"),
    "utf-7": (GERMAN, "utf-7"),
    "windows-874": ("สภาประชุม", "cp874"),
    "cp-1251": (RUSSIAN, "cp1251"),
    "x-cp1251": (RUSSIAN, "cp1251"),
    "win-1251": (RUSSIAN, "cp1251"),
    "koi8-r": (RUSSIAN, "koi8-r"),
    "KOI8": (RUSSIAN, "koi8-r"),
    "_iso-2022-jp$ESC": (JAPANESE, "iso2022_jp"),
    "shift_jis": ("①髙﨑", "cp932"),
    "x-sjis": (JAPANESE, "cp932"),
    "gb2312": ("朱镕基", "gbk"),
    "x-gbk": (CHINESE, "gbk"),
    "ks_c_5601-1987": ("똠방각하", "cp949"),
    "euc-kr": (KOREAN, "euc-kr"),
    "big5": ("董事會", "big5"),
    "macintosh": (GERMAN, "mac-roman"),
    "x-mac-roman": (GERMAN, "mac-roman"),
    "latin-1": (GERMAN, "latin-1"),
    "iso8859-15": ("5 €", "iso8859-15"),
    "windows-1252": ("5 € – “so”", "cp1252"),
    "iso-8859-1": ("5 € – “so”", "cp1252"),
    "utf-16": (GERMAN, "utf-16"),
    "hz-gb-2312": ("Plan: " + CHINESE, "hz"),
    "rot13": (GERMAN, "utf-8"),
    "base64": (GERMAN, "utf-8"),
    "unicode_escape": ("a\\n" + GERMAN, "utf-8"),
    "x-user-defined": (GERMAN, "cp1252"),
    "cp65001": (GERMAN, "utf-8"),
}


@pytest.mark.parametrize("label", LABELLED)
def test_a_charset_is_what_its_writer_meant_or_is_detected(label: str) -> None:
    words, encoding = LABELLED[label]
    raw = words.encode(encoding)
    stated = label if label.startswith('"') else f'"{label}"'
    content = read_mail(mail(base64.b64encode(raw), f"text/plain; charset={stated}", "base64"))
    assert (content.text.partition("\n\n")[2], content.unread) == (words + "\n", ())


@pytest.mark.parametrize(
    ("stated", "encoding", "words"),
    [
        ("utf-8", "cp1252", GERMAN), ("utf-8", "koi8-r", RUSSIAN), ("utf-8", "cp932", JAPANESE * 2),
        ("iso-8859-1", "utf-8", GERMAN), ("iso-8859-1", "utf-8", RUSSIAN), ("windows-1252", "utf-8", "5 €"),
        ("koi8-r", "utf-8", RUSSIAN), ("gb2312", "utf-8", CHINESE), ("big5", "utf-8", CHINESE),
        ("euc-kr", "utf-8", KOREAN), ("shift_jis", "utf-8", JAPANESE), ("utf-16", "utf-8", GERMAN),
        ("us-ascii", "cp1252", GERMAN), ("us-ascii", "iso2022_jp", JAPANESE), ("utf-7", "utf-8", GERMAN),
    ],
)  # fmt: skip
def test_a_wrong_charset_spoils_no_letter(stated: str, encoding: str, words: str) -> None:
    content = read_mail(mail(words.encode(encoding), f"text/plain; charset={stated}"))
    assert (content.text.partition("\n\n")[2], content.unread) == (words + "\n", ())


@pytest.mark.parametrize(
    ("stated", "raw", "seen"),
    [
        ("utf-8", "Grüße, Straße, schön ".encode() * 3 + b"\xc3\n", "\ufffd"),
        ("euc-jp", (JAPANESE * 3).encode("euc_jp") + b"\xff.", "\ufffd."),
        ("cp1253", "Το συμβούλιο".encode("cp1253") + b" \xaa", "\ufffd"),
        ("iso-2022-jp", JAPANESE.encode("iso2022_jp") + b"\x1b$B\x7f\x7f", "\ufffd"),
    ],
)
def test_what_is_no_letter_in_a_charset_is_replaced_and_told(stated: str, raw: bytes, seen: str) -> None:
    content = read_mail(mail(raw, f"text/plain; charset={stated}"))
    (unread,) = content.unread
    assert content.text.rstrip("\n").endswith(seen)
    assert content.text[unread.start] == "\ufffd"
    assert (unread.part, "can't be read" in unread.reason) == ("body", True)


PARTS: dict[str, tuple[bytes, str]] = {
    "a text after an image": (multipart("mixed", text("one"), PNG, text("two")), "one\n\ntwo"),
    "texts between images": (
        multipart("mixed", text("one"), PNG, text("two"), PNG, text("three")),
        "one\n\ntwo\n\nthree",
    ),
    "text and HTML": (multipart("mixed", text("one"), text("<p>two", "text/html")), "one\n\ntwo"),
    "HTML and text": (multipart("mixed", text("<p>one", "text/html"), text("two")), "one\n\ntwo"),
    "one of two forms": (multipart("alternative", text("one"), text("<p>ONE", "text/html")), "one"),
    "an empty plain form": (multipart("alternative", text("  "), text("<p>one", "text/html")), "one"),
    "a plain form that only says to look at the other": (
        multipart("alternative", text("See the HTML."), text("<p>" + "The price is 5. " * 40, "text/html")),
        ("The price is 5. " * 40).strip(),
    ),
    "a page alone": (multipart("alternative", text("<p>one", "text/html")), "one"),
    "a page with its images": (multipart("related", text("<p>one<img src=cid:a>", "text/html"), PNG), "one"),
    "forms within a mixed one": (
        multipart("mixed", multipart("alternative", text("one"), text("<p>ONE", "text/html"), head=""), text("two")),
        "one\n\ntwo",
    ),
    "a mixed one within forms": (
        multipart(
            "alternative",
            text(""),
            multipart("mixed", text("<p>one", "text/html"), PNG, text("<p>two", "text/html"), head=""),
        ),
        "one\n\ntwo",
    ),
    "a signed one": (multipart("signed", text("one"), "Content-Type: application/pgp-signature\n\nxx"), "one"),
    "a kind that nobody knows": (multipart("x-nobody", text("one"), text("two")), "one\n\ntwo"),
    "no headers in a part": (multipart("mixed", "\none", "\ntwo"), "one\n\ntwo"),
    "no end": (multipart("mixed", text("one"), text("two")).rpartition(b"--b")[0], "one\n\ntwo"),
    "a text of another kind": (multipart("mixed", text("one"), text("# two", "text/markdown")), "one\n\n# two"),
    "an inline text with a name": (
        multipart("mixed", text("one"), text("two", "text/plain; name=a.txt", "Content-Disposition: inline\n")),
        "one\n\ntwo",
    ),
    "a boundary that begins another": (
        (
            b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\n"
            b"one\n--bb\n\ntwo\n--bb--\n--b\n\nthree\n--b--\n"
        ),
        "one\n\ntwo\n\nthree",
    ),
    "a boundary that isn't stated": (b"Content-Type: multipart/mixed\n\n--x\n\none\n--x\n\ntwo\n--x--\n", "one\n\ntwo"),
    "a boundary that isn't there": (b"Content-Type: multipart/mixed; boundary=x\n\none", "one"),
    "a part of nothing but headers": (
        multipart("mixed", "Content-Type: text/plain", text("one")),
        "one",
    ),
    "line ends of all kinds": (multipart("mixed", text("one"), text("two")).replace(b"\n", b"\r\n"), "one\n\ntwo"),
    "old line ends": (multipart("mixed", text("one"), text("two")).replace(b"\n", b"\r"), "one\n\ntwo"),
    "a mark before the headers": (b"\xef\xbb\xbf\r\n" + mail("one"), "one"),
    "enriched text": (mail("<bold>one</bold>\ntwo <<3", "text/enriched"), "one two <3"),
}


@pytest.mark.parametrize("name", PARTS)
def test_each_text_that_a_person_sees_is_read_in_its_order(name: str) -> None:
    data, seen = PARTS[name]
    content = read_mail(data)
    assert content.text.rstrip("\n").endswith(seen)
    assert content.text.count("one") <= 1
    assert content.unread == ()


ATTACHED = {
    "a table": text("a,b", "text/csv; name=a.csv"),
    "a text": text("secret", "text/plain", "Content-Disposition: attachment; filename=a.txt\n"),
    "a page": text("secret", "text/html", "Content-Disposition: attachment; filename=a.html\n"),
    "a name alone": text("secret", "text/plain; name=a.txt"),
    "a name of RFC 2231": text("s", more="Content-Disposition: attachment; filename*=utf-8''Gr%C3%BC%C3%9Fe.txt\n"),
    "a name in pieces": text("s", more="Content-Disposition: attachment; filename*0=Gr; filename*1=uss.txt\n"),
    "a name in encoded words": text(
        "s", more='Content-Disposition: attachment; filename="=?utf-8?q?Gr=C3=BC=C3=9Fe.txt?="\n'
    ),
    "a name in raw letters": text("s", more='Content-Disposition: attachment; filename="Grüße.txt"\n'),
    "Outlook's": "Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\neJ8+\n",
    "no name": "Content-Type: application/pdf\n\nx",
    "an image": PNG,
}
NAMES = {
    "a table": "a.csv",
    "a page": "a.html",
    "a name of RFC 2231": "Grüße.txt",
    "a name in pieces": "Gruss.txt",
    "a name in encoded words": "Grüße.txt",
    "a name in raw letters": "Grüße.txt",
    "Outlook's": "winmail.dat",
    "no name": "application/pdf",
    "an image": "a.png",
}


@pytest.mark.parametrize("name", ATTACHED)
def test_an_attachment_is_named_and_makes_no_mail_partial(name: str) -> None:
    content = read_mail(multipart("mixed", text("one"), ATTACHED[name]))
    wanted = NAMES.get(name, "a.txt")
    assert content == Content(f"From: ann@example.org\nAttachment, not read: {wanted}\n\none\n")


WITHIN = mail("two", more="Date: Mon, 2 Mar 2026\n").decode()
FORWARDED = {
    "a forwarded mail": multipart("mixed", text("one"), f"Content-Type: message/rfc822\n\n{WITHIN}"),
    "an attached mail": multipart(
        "mixed",
        text("one"),
        f"Content-Type: message/rfc822\nContent-Disposition: attachment; filename=a.eml\n\n{WITHIN}",
    ),
    "a packed mail": multipart(
        "mixed",
        text("one"),
        "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
        + base64.b64encode(WITHIN.encode()).decode(),
    ),
    "a digest": multipart("mixed", text("one"), multipart("digest", f"\n{WITHIN}", head="")),
    "a mail within a mail within a mail": multipart(
        "mixed", text("one"), f"Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\n{WITHIN}"
    ),
    "a bounce": multipart(
        "report",
        text("one"),
        "Content-Type: message/delivery-status\n\nStatus: 5.1.1\n",
        f"Content-Type: message/rfc822\n\n{WITHIN}",
    ),
}


@pytest.mark.parametrize("name", FORWARDED)
def test_a_mail_within_a_mail_is_read_with_its_own_headers(name: str) -> None:
    content = read_mail(FORWARDED[name])
    found = [content.text.index(word) for word in ("one", "Subject: Offer", "two")]
    assert found == sorted(found)
    assert "Date: Mon, 2 Mar 2026" in content.text
    assert ("Status: 5.1.1" in content.text) == (name == "a bounce")
    assert content.unread == ()


@pytest.mark.parametrize("deep", [10, 90, 200, 3_000])
def test_mails_within_mails_are_read_to_a_depth_and_the_rest_is_told(deep: int) -> None:
    data = b"Content-Type: message/rfc822\nSubject: outer\n\n" * deep + mail("innermost")
    content = read_mail(data)
    assert ("innermost" in content.text) == (not content.unread) == (deep < 100)
    assert [unread.reason.startswith("it lies more than 100") for unread in content.unread] == [True] * (deep > 100)


CIPHER = "-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n"
ENVELOPED = base64.b64encode(bytes.fromhex("308006092a864886f70d010703a080300000")).decode()
ENCRYPTED = {
    "PGP/MIME": multipart("encrypted", "Content-Type: application/pgp-encrypted\n\nVersion: 1", "\n" + CIPHER),
    "PGP in a text": mail(f"Hello\n{CIPHER}bye"),
    "PGP cut off": mail(f"Hello\n{CIPHER[:40]}"),
    "PGP in a packed text": mail(base64.b64encode(CIPHER.encode()), packing="base64"),
    "PGP in one of two texts": multipart("mixed", text("one"), text(CIPHER)),
    "S/MIME": mail(ENVELOPED, "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", "base64"),
    "S/MIME of old": mail(ENVELOPED, "application/x-pkcs7-mime; name=smime.p7m", "base64"),
    "S/MIME within a mixed one": multipart(
        "mixed", text("one"), f"Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\n{ENVELOPED}"
    ),
    "a mail that was forwarded": multipart(
        "mixed", text("one"), b"Content-Type: message/rfc822\n\n" + mail(ENVELOPED, "application/pkcs7-mime", "base64")
    ),
    "S/MIME that is broken": mail("!!", "application/pkcs7-mime", "base64"),
}


@pytest.mark.parametrize("name", ENCRYPTED)
def test_an_encrypted_text_is_told(name: str) -> None:
    content = read_mail(ENCRYPTED[name])
    assert ["encrypted" in unread.reason for unread in content.unread] == [True]
    assert "hQEMA" not in content.text
    assert ("one" in content.text) == (b"one" in ENCRYPTED[name])


def der(tag: int, content: bytes, *, indefinite: bool = False) -> bytes:
    if indefinite:
        return bytes([tag, 0x80]) + content + b"\0\0"
    size = len(content)
    wide = size.to_bytes(4, "big")
    return bytes([tag]) + (bytes([size]) if size < 128 else b"\x84" + wide) + content


@pytest.mark.parametrize("indefinite", [False, True])
@pytest.mark.parametrize("long", [1, 100])
def test_a_text_within_a_signature_is_read(long: int, *, indefinite: bool) -> None:
    inner = text("signed words " * long).encode()
    octets = der(0x24, der(4, inner[:20]) + der(4, inner[20:]), indefinite=True) if indefinite else der(4, inner)
    content = der(0x30, bytes.fromhex("06092a864886f70d010701") + der(0xA0, octets, indefinite=indefinite))
    signed = der(0x30, bytes.fromhex("06092a864886f70d010702") + der(0xA0, der(0x30, content)), indefinite=indefinite)
    read = read_mail(mail(base64.encodebytes(signed), "application/pkcs7-mime; smime-type=signed-data", "base64"))
    assert (read.text.partition("\n\n")[2].strip(), read.unread) == (("signed words " * long).strip(), ())


HEADS = {
    "=?utf-8?q?Gr=C3=BC=C3=9Fe?=": "Grüße",
    "=?utf-8?B?R3LDvMOfZQ==?=": "Grüße",
    "=?UTF-8?B?R3LDvMOfZQ?=": "Grüße",
    "=?utf-8?q?Gr=C3?= =?utf-8?q?=BC=C3=9Fe?=": "Grüße",
    "=?utf-8?q?Gr=C3=BC?=\r\n =?utf-8?q?=C3=9Fe?=": "Grüße",
    "=?iso-8859-1?q?Gr=FC=DFe?= aus": "Grüße aus",
    "=?iso-8859-1*de?q?Gr=FC=DFe?=": "Grüße",
    "=?x-unknown?q?Gr=C3=BC=C3=9Fe?=": "Grüße",
    "=?cp-850?b?" + base64.b64encode("Grüße".encode("cp850")).decode() + "?=": "Grüße",
    "=?gb2312?B?" + base64.b64encode("朱镕基".encode("gbk")).decode() + "?=": "朱镕基",
    "=?iso-2022-jp?B?" + base64.b64encode(JAPANESE.encode("iso2022_jp")).decode() + "?=": JAPANESE,
    "=?utf-8?q?two words?=": "two words",
    "=?utf-8?q?two_words?=": "two words",
    "Giesestra=?utf-8?B?w58=?=e 5": "Giesestraße 5",
    '"=?utf-8?q?J=C3=BCrgen?=" <j@example.org>, b@example.org': '"Jürgen" <j@example.org>, b@example.org',
    "Grüße, raw": "Grüße, raw",
    "a\r\n\tb": "a b",
    "=?ISO-8859-1?Q\t?compl=E9ter?=": "=?ISO-8859-1?Q\t?compl=E9ter?=",
    "=?utf-8?q?unfinished": "=?utf-8?q?unfinished",
    "=?utf-8?z?x?=": "=?utf-8?z?x?=",
}


@pytest.mark.parametrize("value", HEADS)
def test_a_header_is_decoded(value: str) -> None:
    assert words(value) == (HEADS[value], 0)
    assert f"Subject: {HEADS[value]}".split() == read_mail(f"Subject: {value}\n\nx".encode()).text.split()[:-1]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-8-sig"])
def test_a_header_in_raw_letters_is_detected(encoding: str) -> None:
    head = "From: Jürgen Müller <a@example.org>\nSubject: Grüße aus der Straße\n\nx"
    assert read_mail(head.encode(encoding)).text == head + "\n"


def test_a_header_that_cannot_be_read_is_told() -> None:
    content = read_mail(b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe_=C3?=\n\nx")
    assert content.text == "Subject: Gr\u00fc\u00dfe \ufffd\n\nx\n"
    assert [unread.part for unread in content.unread] == ["headers"]


PACKED = {
    "base64 without padding": ("base64", base64.b64encode(b"one two").rstrip(b"="), "one two"),
    "base64 in lines": ("base64", b"b25l\r\nIHR3\r\nbw==\r\n", "one two"),
    "base64 with junk": ("BASE64", b"b25l!IHR3bw==" + b" " * 40, "one two"),
    "base64 put together": ("base64", base64.b64encode(b"one ") + b"\n" + base64.b64encode(b"two"), "one two"),
    "plain text that is said to be base64": ("base64", b"one two, three! four.", "one two, three! four."),
    "quoted-printable": ("quoted-printable", b"one=20=\ntwo", "one two"),
    "broken quoted-printable": ("Quoted-Printable", b"one =ZZ two= \n=", "one =ZZ two"),
    "raw letters in quoted-printable": ("quoted-printable", "Grüße=20x".encode(), "Grüße x"),
    "uuencode": ("x-uuencode", b"begin 644 a\n'=&5S=\"!M90``\n`\nend\n", "test me"),
    "a packing that nobody knows": ("x-nobody", b"one", "one"),
    "8-bit": ("8-bit", "Grüße".encode(), "Grüße"),
    "binary": ("binary", "Grüße".encode(), "Grüße"),
}


@pytest.mark.parametrize("name", PACKED)
def test_a_text_is_unpacked(name: str) -> None:
    packing, raw, seen = PACKED[name]
    content = read_mail(mail(raw, packing=packing))
    assert (content.text.partition("\n\n")[2].rstrip("\n =\0"), content.unread) == (seen, ())


def test_base64_that_is_cut_off_is_told() -> None:
    content = read_mail(mail(base64.b64encode(b"one two three")[:9], packing="base64"))
    assert content.text.endswith("one tw\n")
    assert [unread.part for unread in content.unread] == ["body"]


@pytest.mark.parametrize(
    ("raw", "deletes", "seen"),
    [
        ("one \ntwo", "no", "one two"),
        ("one \ntwo", "yes", "onetwo"),
        ("one\ntwo", "no", "one\ntwo"),
        ("> one \n> two\nthree", "no", "> one two\nthree"),
        (">> one \n> two", "no", "> > one \n> two"),
        (" >one", "no", ">one"),
        (" From me", "no", "From me"),
        ("one\n-- \nAnn", "no", "one\n-- \nAnn"),
        ("one \n-- \nAnn", "no", "one \n-- \nAnn"),
        ("one \n\ntwo", "no", "one \n\ntwo"),
        ("one \n two", "no", "one two"),
    ],
)
def test_flowed_lines_are_joined(raw: str, deletes: str, seen: str) -> None:
    assert body(mail(raw, f"text/plain; format=flowed; delsp={deletes}")) == seen


INVITATION = """BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VTIMEZONE
TZID:Europe/Berlin
END:VTIMEZONE
BEGIN:VEVENT
SUMMARY:Board\\, with
  guests
DTSTART;TZID=Europe/Berlin:20260302T100000
DTEND:20260302T110000Z
LOCATION:Hall 5
ORGANIZER;CN="Ann, chair":mailto:ann@example.org
ATTENDEE:MAILTO:bob@example.org
DESCRIPTION:Bring\\nthe plan.
BEGIN:VALARM
DESCRIPTION:Reminder
END:VALARM
END:VEVENT
END:VCALENDAR
"""
EVENT = (
    "Method: REQUEST\n\nSummary: Board, with guests\nStart: 2026-03-02 10:00 Europe/Berlin\nEnd: 2026-03-02 11:00 UTC\n"
    "Location: Hall 5\nOrganizer: Ann, chair <ann@example.org>\nAttendee: bob@example.org\n"
    "Description: Bring\nthe plan."
)


def test_an_invitation_is_read_in_words_beside_the_text() -> None:
    forms = (text("one"), text("<p>one", "text/html"), text(INVITATION, "text/calendar; method=REQUEST"))
    assert read_mail(multipart("alternative", *forms)).text == f"From: ann@example.org\n\none\n\n{EVENT}\n"


def test_a_file_within_a_text_is_named() -> None:
    content = read_mail(mail("before\nbegin 644 plan b.txt\n'=&5S=\"!M90``\n`\nend\nafter"))
    assert (
        content.text == "From: ann@example.org\nSubject: Offer\nAttachment, not read: plan b.txt\n\nbefore\n\nafter\n"
    )


def test_a_saved_page_is_read_without_what_it_is_made_of() -> None:
    style = "Content-Type: text/css\nContent-Location: a.css\n\np{}"
    frame = text("<p>frame", "text/html", "Content-Location: b.html\n")
    data = multipart("related", text("<h1>Page</h1><p>words", "text/html", "Content-Location: a\n"), style, frame)
    content = read_mail(data)
    assert content.text.endswith("\n\n# Page\n\nwords\n")
    assert "p{}" not in content.text


def test_the_root_of_related_parts_is_the_one_that_is_named() -> None:
    image = PNG.replace("Content-Type", "Content-ID: <i>\nContent-Type")
    data = multipart('related; start="<r>"', image, text("<p>root", "text/html", "Content-ID: <r>\n"))
    assert read_mail(data).text.endswith("\n\nroot\n")


def test_all_messages_of_a_mailbox_are_read() -> None:
    line = b"From ann@example.org Mon Mar  2 10:00:00 2026\n"
    data = b"\n".join(line + mail(f"text {number}\n>From here on") for number in range(5))
    content = read_mail(data)
    assert kind_of(data, "all.mbox") == kind_of(data, "a.eml") == "mail"
    assert [f"text {number}" in content.text for number in range(5)] == [True] * 5
    assert content.text.count("Subject: Offer") == 5


def test_a_mail_that_quotes_a_mailbox_is_one_mail() -> None:
    quoted = "one\n\nFrom ann@example.org Mon Mar  2 10:00:00 2026\nSubject: quoted\n\ntwo"
    assert body(mail(f"{quoted}\n\n{quoted}")) == f"{quoted}\n\n{quoted}"


@pytest.mark.parametrize("name", ["a.eml", "a.EML", "a.mht", "a.mhtml", "a.mbox"])
def test_a_mail_is_known_by_its_name(name: str) -> None:
    assert kind_of(mail("one"), name) == "mail"


def test_a_part_that_is_no_text_at_all_is_told() -> None:
    content = read_mail(multipart("mixed", text("one"), b"Content-Type: text/plain\n\n" + bytes(range(256)) * 9))
    assert "one" in content.text
    assert [(unread.part, "binary" in unread.reason) for unread in content.unread] == [("part 3 (text/plain)", True)]


@settings(deadline=None, max_examples=200)
@given(
    data=st.lists(
        st.sampled_from([
            b"Content-Type: ", b"multipart/mixed; boundary=b\n", b"multipart/alternative; boundary=c\n", b"text/html\n",
            b"text/plain; charset=", b"utf-8\n", b"message/rfc822\n", b"\n", b"--b\n", b"--c\n", b"--b--\n", b"\xff",
            b"From ",
            b"Content-Transfer-Encoding: base64\n", b"=?utf-8?q?", b"?=", b"Subject: ", b"YWJj", b"<p>", b"\0", b"\r",
            b":",
        ]),
        max_size=40,
    ).map(b"".join)
)  # fmt: skip
def test_whatever_looks_like_a_mail_is_read(data: bytes) -> None:
    try:
        content = read_mail(data)
    except DocumentFailed:  # it holds bytes that are no text, and nothing else
        return
    assert isinstance(content.text, str)
    assert all(0 <= unread.start <= len(content.text) for unread in content.unread)


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "boundaries": lambda n: b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n" * n,
    "headers": lambda n: b"Subject: x\n" * n,
    "folds": lambda n: b"Subject: x\n" + b" y\n" * n + b"\nbody",
    "encoded words": lambda n: b"Subject: " + b"=?utf-8?q?x?= " * n + b"\n\nbody",
    "words that never end": lambda n: b"Subject: " + b"=?utf-8?q?" * n + b"\n\nbody",
    "nested": lambda n: b"Content-Type: message/rfc822\n\n" * n,
    "base64": lambda n: mail(b"=a" * n, packing="base64"),
    "files": lambda n: mail(b"begin 644 a\n" * n),
    "flowed": lambda n: mail(b"> x \n" * n, "text/plain; format=flowed"),
    "calendar": lambda n: mail(b"BEGIN:VEVENT\n" * n, "text/calendar"),
    "quotes in a calendar": lambda n: mail(b"A;" + b'"' * n, "text/calendar"),
    "From": lambda n: b"From a 2026\n" * n,
    "forms": lambda n: (
        b"Content-Type: multipart/alternative; boundary=b\n\n" + b"--b\nContent-Type: text/plain\n\nx\n" * n
    ),
    "commands": lambda n: mail(b"<a" * n, "text/enriched"),
}


def _seconds(data: bytes) -> float:
    begin = time.process_time()
    read_mail(data)
    return time.process_time() - begin


@pytest.mark.parametrize("name", HOSTILE)
def test_the_cost_is_linear_in_the_size_of_a_mail(name: str) -> None:
    made = HOSTILE[name]
    one, two = (min(_seconds(made(size)) for _ in range(2)) for size in (5_000, 20_000))
    assert two < 8 * one + 0.1
