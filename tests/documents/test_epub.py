"""EPUB: every chapter that can be read is, in order, and each other is named."""

import io
import zipfile
from pathlib import Path

import pytest

from tasks.base.errors import DocumentFailed
from tasks.documents.document import Content
from tasks.documents.readers.epub import read_epub
from tests.documents import made

SAMPLES = Path(__file__).parent / "samples"
CONTAINER = '<container><rootfiles><rootfile full-path="{}"/></rootfiles></container>'
LOCK = (
    '<encryption><EncryptedData><EncryptionMethod Algorithm="{}"/><CipherData>'
    '<CipherReference URI="{}"/></CipherData></EncryptedData></encryption>'
)
AES, FONTS = "http://www.w3.org/2001/04/xmlenc#aes128-cbc", "http://www.idpf.org/2008/embedding"
ENCRYPTION = "META-INF/encryption.xml"


def book(hrefs: dict[str, str], files: dict[str, str | bytes], spine: str = "ab", package: str = "O/p.opf") -> bytes:
    """An EPUB whose manifest has these hrefs by id, whose spine has the ids of these letters, and these files."""
    items = "".join(f'<item id="{name}" href="{href}"/>' for name, href in hrefs.items())
    order = "".join(f'<itemref idref="{name}"/>' for name in spine)
    document = f"<package><manifest>{items}</manifest><spine>{order}</spine></package>"
    return made.zipped({"META-INF/container.xml": CONTAINER.format("O/p.opf"), package: document, **files})


def words(content: Content) -> list[str]:
    return content.text.split()


ONE, TWO = "<html><body><p>One</p></body></html>", "<html><body><p>Two</p></body></html>"
AB = {"a": "a.xhtml", "b": "b.xhtml"}
BOTH: dict[str, str | bytes] = {"O/a.xhtml": ONE, "O/b.xhtml": TWO}
READ = {
    "plain": book(AB, BOTH),
    "an absolute href": book({"a": "/O/a.xhtml", "b": "b.xhtml"}, BOTH),
    "another case": book({"a": "A.XHTML", "b": "b.xhtml"}, BOTH),
    "percent-encoded": book({"a": "a%20a.xhtml", "b": "b.xhtml"}, {"O/a a.xhtml": ONE, "O/b.xhtml": TWO}),
    "percent signs in the name": book({"a": "a%20a.xhtml", "b": "b.xhtml"}, {"O/a%20a.xhtml": ONE, "O/b.xhtml": TWO}),
    "a fragment": book({"a": "a.xhtml#x", "b": "b.xhtml"}, BOTH),
    "a backslash": book({"a": "t\\a.xhtml", "b": "b.xhtml"}, {"O/t/a.xhtml": ONE, "O/b.xhtml": TWO}),
    "from the root": book({"a": "O/a.xhtml", "b": "b.xhtml"}, BOTH),
    "no spine": book(AB, BOTH, spine=""),
    "another package than the container says": book(AB, {**BOTH}, package="O/other.opf"),
    "no package": made.zipped({"c2.xhtml": ONE, "c10.xhtml": TWO}),
    "a chapter twice": book(AB, BOTH, spine="aba"),
    "an SVG chapter": book(
        {"a": "a.svg", "b": "b.xhtml"}, {"O/a.svg": "<svg><text>One</text></svg>", "O/b.xhtml": TWO}
    ),
    "a picture in the spine": book({**AB, "c": "c.jpg"}, {**BOTH, "O/c.jpg": b"\xff\xd8"}, spine="cab"),
    "bad XML": book(AB, {"O/a.xhtml": "<html><p>One<b></html", "O/b.xhtml": TWO}),
    "an empty title": book(AB, {"O/a.xhtml": "<html><head><title/></head><body>One</body></html>", "O/b.xhtml": TWO}),
    "a section of characters": book(AB, {"O/a.xhtml": "<html><p><![CDATA[One]]></p></html>", "O/b.xhtml": TWO}),
    "fonts obscured": book(AB, {**BOTH, ENCRYPTION: LOCK.format(FONTS, "O/a.xhtml")}),
    "a font encrypted": book(AB, {**BOTH, "O/f.otf": b"\0", ENCRYPTION: LOCK.format(AES, "O/f.otf")}),
    "rights, and a font encrypted": book(
        AB, {**BOTH, "META-INF/rights.xml": "<rights/>", "O/f.otf": b"", ENCRYPTION: LOCK.format(AES, "O/f.otf")}
    ),
}


@pytest.mark.parametrize("name", READ)
def test_a_book_whose_chapters_are_there_is_read_whole(name: str) -> None:
    content = read_epub(READ[name])
    assert (words(content), content.unread) == (["One", "Two"], ())


def damaged(data: bytes, name: str) -> bytes:
    """The archive with a byte of that file changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        header = archive.getinfo(name).header_offset
    start = header + 30 + len(name) + 3
    return data[:start] + bytes([data[start] ^ 0xFF]) + data[start + 1 :]


UNREAD = {
    "missing": (book(AB, {"O/b.xhtml": TWO}), "lacks"),
    "not in the manifest": (book({"b": "b.xhtml"}, BOTH), "lacks"),
    "damaged in the archive": (damaged(book(AB, BOTH), "O/a.xhtml"), "damaged"),
    "encrypted": (book(AB, {**BOTH, ENCRYPTION: LOCK.format(AES, "O/a.xhtml")}), "encrypted"),
    "encrypted, and named in percent": (book(AB, {**BOTH, ENCRYPTION: LOCK.format(AES, "O/a%2exhtml")}), "encrypted"),
    "empty": (book(AB, {"O/a.xhtml": b"", "O/b.xhtml": TWO}), "damaged"),
    "zeros": (book(AB, {"O/a.xhtml": b"\0" * 99, "O/b.xhtml": TWO}), "damaged"),
    "outside the archive": (book({"a": "../../x.xhtml", "b": "b.xhtml"}, BOTH), "lacks"),
    "without an href": (book({"a": ".xhtml", "b": "b.xhtml"}, BOTH), "lacks"),
    "under rights": (
        book(AB, {**BOTH, "META-INF/rights.xml": "<r/>", ENCRYPTION: LOCK.format(AES, "O/a.xhtml")}), "encrypted",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNREAD)
def test_a_chapter_that_cannot_be_read_is_named_and_the_others_are_read(name: str) -> None:
    data, reason = UNREAD[name]
    content = read_epub(data)
    assert words(content) == ["Two"]
    (unread,) = content.unread
    assert unread.part.startswith("chapter 1 (")
    assert (unread.start, reason in unread.reason) == (0, True)


def test_a_book_of_thirty_chapters_of_which_one_is_missing_gives_the_others() -> None:
    content = read_epub((SAMPLES / "one_of_30_chapters_missing.epub").read_bytes())
    assert [f"Words of c{number}." in content.text for number in range(30)] == [number != 17 for number in range(30)]
    (unread,) = content.unread
    assert unread.part == "chapter 18 (c17.xhtml)"
    assert content.text[unread.start :].startswith("# Chapter c18")
    assert len(content.sections) == 29


def test_a_book_of_which_no_chapter_can_be_read_is_a_failure() -> None:
    with pytest.raises(DocumentFailed) as failed:
        read_epub(book(AB, {}))
    assert failed.value.reason == "damaged"
    with pytest.raises(DocumentFailed) as failed:
        read_epub(book({"a": "a.xhtml"}, {**BOTH, ENCRYPTION: LOCK.format(AES, "O/a.xhtml")}, spine="a"))
    assert failed.value.reason == "encrypted"
