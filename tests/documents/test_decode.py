# ruff: noqa: RUF001 - the letters of many scripts
"""Text of any encoding, of several, and of bytes that are none: no letter is replaced unsaid."""

import contextlib
import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks.base.errors import DocumentFailed
from tasks.documents.encodings.charsets import codec_of
from tasks.documents.encodings.damage import counts
from tasks.documents.encodings.decode import decode
from tasks.documents.readers.text import read_text
from tasks.documents.tables.lines import lines

SAMPLES = Path(__file__).with_name("samples")
SENTENCES: dict[str, tuple[str, str]] = json.loads(
    Path(__file__).with_name("languages.json").read_text(encoding="utf-8")
)
GERMAN = "Die Straße ist grün, das Café geöffnet.\n"
RUSSIAN = "Привет, мир! Совет решил построить мост.\n"
CHINESE = "理事会于八月三日开会。决定修建一座桥。\n"
JAPANESE = "評議会は八月三日に会合を開いた。\n"
KOREAN = "평의회는 8월 3일에 모였다. 다리를 짓기로 했다.\n"
GREEK, ARABIC = "Το συμβούλιο συνεδρίασε.\n", "اجتمع المجلس في الثالث من أغسطس.\n"
HEBREW, THAI = "המועצה התכנסה בשלושה באוגוסט.\n", "สภาประชุมเมื่อวันที่สามสิงหาคม\n"
UTF8 = (GERMAN * 5).encode()


def test_one_byte_of_another_encoding_changes_no_other_letter() -> None:
    content = read_text((SAMPLES / "one_latin1_byte_first.txt").read_bytes(), "a.txt")
    assert content.text == (SAMPLES / "one_latin1_byte_first.txt.txt").read_text(encoding="utf-8")
    assert content.unread == ()


FOREIGN = {
    "a letter": (b"caf\xe9\n", "café\n"),
    "a letter at the end": (b"caf\xe9", "café"),
    "a word": (b"\xe9t\xe9\n", "été\n"),
    "the euro": (b"5 \x80\n", "5 €\n"),
    "quotes": (b"\x93it\x92s\x94\n", "“it’s”\n"),
    "a pound": (b"\xa35\n", "£5\n"),
    "a degree": (b"5 \xb0C\n", "5 °C\n"),
    "a dash": (b"a \x96 b\n", "a – b\n"),
    "dots": (b"well\x85\n", "well…\n"),
    "a fraction": (b"\xbd l\n", "½ l\n"),
    "a capital": (b"\xc9cole\n", "École\n"),
    "a section": (b"\xa7 5\n", "§ 5\n"),
    "letters among UTF-8": ("Grüße ".encode() + b"caf\xe9 M\xfcller\n", "Grüße café Müller\n"),
    "a byte among ASCII": (b"x\xe9\n" + b"plain\n" * 50, "xé\n" + "plain\n" * 50),
    "halves of a character (CESU-8)": (b"\xed\xa0\xbd\xed\xb8\x80\n", "😀\n"),
    "zero as Java writes it": (b"a\xc0\x80b\n", "a b\n"),
}


@pytest.mark.parametrize("where", ["first", "last", "between", "after a megabyte"])
@pytest.mark.parametrize("name", FOREIGN)
def test_bytes_of_another_encoding_are_read_wherever_they_stand(name: str, where: str) -> None:
    raw, words = FOREIGN[name]
    before = {"first": b"", "after a megabyte": UTF8 * 5_000}.get(where, UTF8)
    after = b"" if where == "last" or not raw.endswith(b"\n") else UTF8
    found = decode(before + raw + after)
    assert (found.text, found.unread) == (before.decode() + words + after.decode(), ())


LOST = {
    "a character cut off at the end": (UTF8 + b"Stra\xc3", "Stra\ufffd", 6),
    "a character cut off at a line's end": (UTF8 + b"Stra\xc3\n" + UTF8, "Stra\ufffd\n", 6),
    "a sign cut off at the end": (UTF8 + b"5 \xe2\x82", "5 \ufffd", 6),
    "an emoji cut off": (UTF8 + b"x \xf0\x9f\x98", "x \ufffd", 6),
    "a byte that is no letter": (UTF8 + b"x\x81y\n", "x\ufffdy\n", 6),
    "another": (UTF8 + b"x\x8dy\n", "x\ufffdy\n", 6),
    "half a character": (UTF8 + b"\xed\xa0\xbd x\n", "\ufffd x\n", 6),
    "Japanese with a wrong byte": ((JAPANESE * 9).encode("cp932") + b"x\xff\n", "x\ufffd\n", 10),
    "Japanese of Unix with a wrong byte": ((JAPANESE * 9).encode("euc_jp") + b"x\xff\n", "x\ufffd\n", 10),
    "Chinese with a wrong byte": ((CHINESE * 9).encode("gbk") + b"\xff\n", "\ufffd\n", 10),
    "Korean with a wrong byte": ((KOREAN * 9).encode("euc_kr") + b"\xff\n", "\ufffd\n", 10),
    "UTF-16 with half a character at its end": ((RUSSIAN * 3).encode("utf-16") + b"\x20", "\ufffd", 4),
    "UTF-16 without a mark and half a character": ((RUSSIAN * 3).encode("utf-16-be") + b"\x04", "\ufffd", 4),
    "UTF-32 cut off": ((RUSSIAN * 3).encode("utf-32") + b"\x20\0", "\ufffd", 4),
}


@pytest.mark.parametrize("name", LOST)
def test_what_cannot_be_read_is_replaced_and_told_by_its_line(name: str) -> None:
    data, seen, line = LOST[name]
    content = read_text(data, "a.txt")
    (unread,) = content.unread
    assert seen in content.text
    assert (unread.part, content.text[unread.start]) == (f"line {line}", "\ufffd")
    assert "can't be read" in unread.reason


def test_of_many_lines_that_cannot_be_read_a_hundred_are_named_and_the_rest_summed_up() -> None:
    content = read_text(UTF8 * 40 + b"x\x81y\n" * 500, "a.txt")
    assert len(content.unread) == 101
    assert content.unread[-1].part == "line 301 and after"
    assert content.unread[-1].reason.startswith("400 characters")


@pytest.mark.parametrize(
    ("one", "other", "encoding"),
    [
        (GERMAN, GERMAN, "cp1252"), (GERMAN, "Le château était désert, où étaient passés les hôtes?\n", "latin-1"),
        (RUSSIAN, RUSSIAN, "cp1251"), (RUSSIAN, RUSSIAN, "koi8-r"), (JAPANESE, JAPANESE, "cp932"),
        (JAPANESE, JAPANESE, "euc_jp"), (CHINESE, CHINESE, "gbk"), (KOREAN, KOREAN, "euc_kr"), (GREEK, GREEK, "cp1253"),
        (HEBREW, HEBREW, "cp1255"), (ARABIC, ARABIC, "cp1256"), (CHINESE, GERMAN, "cp1252"),
    ],
)  # fmt: skip
def test_files_that_were_put_together_are_read_line_by_line(one: str, other: str, encoding: str) -> None:
    first, second = one.encode() * 5, other.encode(encoding) * 5
    assert decode(first + second).text == one * 5 + other * 5
    assert decode(second + first).text == other * 5 + one * 5


ZEROS = {
    "one": b"name\0value\n" + b"more words of a log\n" * 3,
    "in a short text": b"a\0b " + "Grüße".encode(),
    "at the end": b"a line of words\n\0",
    "at the beginning": b"\0a line of words\n",
    "a block, as a crash leaves it": b"2026-01-01 start\n" * 20 + b"\0" * 4096 + b"2026-01-01 again\n" * 20,
    "in UTF-8": UTF8 + b"\0" + UTF8,
    "in Latin-1": GERMAN.encode("latin-1") * 5 + b"\0x\n",
    "in Russian": RUSSIAN.encode("cp1251") * 5 + b"\0\n",
    "in Japanese": JAPANESE.encode("cp932") * 9 + b"\0\n",
    "in several lines": b"a line of words, and then more of them \0\n" * 9,
    "with other control characters": b"\x1b[1mbold\x1b[0m and \0 more words\n" * 3,
    "after a megabyte": b"a line of words\n" * 70_000 + b"\0" + b"a line of words\n",
}


@pytest.mark.parametrize("name", ZEROS)
def test_zeros_in_a_text_become_a_space(name: str) -> None:
    data = ZEROS[name]
    found = decode(data)
    assert found.text.encode(found.encoding) == re.sub(rb"\0+", b" ", data)
    assert found.unread == ()


BINARY = {
    "a program": b"\x7fELF\2\1\1\0\0\0\0\0\3\0\x3e\0\1\0\0\0" * 20,
    "every byte": bytes(range(256)) * 8,
    "numbers": b"".join(number.to_bytes(4, "little") for number in range(400)),
    "a class of Java": b"\xca\xfe\xba\xbe\0\0\0\x34\0\x1d\x0a\0\6\0\x0f\x09" * 9,
    "floats": bytes.fromhex("00000000000008c09a9999999999f13f") * 30,
    "a picture": b"GIF89a\x10\0\x10\0\x80\1\0\xff\xff\xff\0\0\0" * 9,
    "a font": b"\0\1\0\0\0\x0c\0\x80\0\3\0\x40OS/2\x6e\x1f\0\0" * 9,
    "sound": bytes([0, 1, 255, 254, 3, 0, 2, 1]) * 40,
    "a database": b"SQLite format 3\0\x10\0\1\1\0\x40\x20\x20\0\0\0\4\0\0\0\2" * 9,
    "names with numbers": b"abc\0\1\2\0\0xyz\0\3\4" * 20,
    "a pickle": b"\x80\4\x95\x10\0\0\0\0\0\0\0]\x94(K\1K\2K\3e." * 9,
}


@pytest.mark.parametrize("name", BINARY)
def test_a_binary_file_is_no_text(name: str) -> None:
    with pytest.raises(DocumentFailed, match="binary") as failed:
        decode(BINARY[name])
    assert failed.value.reason == "not_text"


WIDE = {
    "German": GERMAN,
    "Russian": RUSSIAN,
    "Chinese": CHINESE,
    "Japanese": JAPANESE,
    "Korean": KOREAN,
    "Greek": GREEK,
    "Arabic": ARABIC,
    "Hebrew": HEBREW,
    "Thai": THAI,
    "one word": "Hi",
    "one Russian word": "Привет",
    "emoji": "Great 😀 work\n",
    "one Chinese sentence": CHINESE.strip(),
    "a few characters": "理事会",
    "Russian without a space": "Привет" * 9,
    "Russian and English": "The word Привет is Russian.\n",
    "Chinese and English": "GPU 显存不足，请检查。\r\n",
}


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("name", WIDE)
def test_wide_characters_are_read_without_a_mark(name: str, encoding: str) -> None:
    assert decode(WIDE[name].encode(encoding)) == (WIDE[name], encoding, (), 0)


@pytest.mark.parametrize("first", ["le", "be"])
@pytest.mark.parametrize("second", ["le", "be"])
def test_a_mark_within_files_that_were_put_together_is_no_letter(first: str, second: str) -> None:
    data = ("\ufeff" + RUSSIAN).encode(f"utf-16-{first}") + ("\ufeff" + RUSSIAN).encode(f"utf-16-{second}")
    assert decode(data).text == RUSSIAN * 2
    assert decode(UTF8 + b"\xef\xbb\xbf" + UTF8).text == GERMAN * 10


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (JAPANESE, "iso2022_jp"), (KOREAN, "iso2022_kr"), (CHINESE * 2, "hz"), (THAI, "tis-620"), (GREEK, "iso8859-7"),
        (HEBREW, "cp1255"), (ARABIC * 2, "cp1256"), (RUSSIAN, "cp866"), (RUSSIAN, "iso8859-5"), (CHINESE, "gb18030"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy.\n", "cp1250"), ("Příliš žluťoučký kůň úpěl ďábelské ódy.\n", "cp852"),
        (GERMAN, "cp850"), (GERMAN, "cp437"), (GERMAN, "mac-roman"),
        ("董事會於八月三日開會。決定修建一座橋。\n", "big5"),
        ("Pijamalı hasta yağız şoföre çabucak güvendi.\n", "cp1254"), (RUSSIAN * 2, "mac-cyrillic"),
    ],
)  # fmt: skip
def test_code_pages_are_told_apart(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)).text == text
    assert decode(b"plain words\n" * 50 + text.encode(encoding)).text == "plain words\n" * 50 + text


CHARSETS = {
    "cp-850": "cp850",
    "CP850": "cp850",
    "ibm850": "cp850",
    '"Windows-1252"': "cp1252",
    "iso-8859-8-i": "iso8859_8",
    "ISO_8859-1:1987": "cp1252",
    "utf8mb4": "utf_8",
    " utf-8 ": "utf_8",
    "unicode-1-1-utf-7": "utf_7",
    "x-gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "csShiftJIS": "cp932",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac_cyrillic",
    "default": None,
    "ansi": None,
    "x-unknown": None,
    "us-ascii": None,
    "": None,
    "base64": None,
    "rot13": None,
    "unicode_escape": None,
    "idna": None,
    "undefined": None,
    "\u00fc": None,
    "cp99999": None,
    "utf-8;": "utf_8",
}


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_charset_is_the_codec_that_its_writers_mean(charset: str) -> None:
    codec = codec_of(charset)
    assert codec == CHARSETS[charset]
    assert codec is None or b"a".decode(codec, "ignore") in ("a", "")


@settings(deadline=None, max_examples=200)
@given(
    parts=st.lists(st.sampled_from([GERMAN, RUSSIAN, CHINESE, "plain\n", "é", "\n"]), min_size=1, max_size=20),
    bad=st.binary(max_size=4),
    where=st.integers(0, 400),
)
def test_bad_bytes_in_utf8_change_nothing_before_or_after_their_line(parts: list[str], bad: bytes, where: int) -> None:
    assume(b"\0" not in bad and b"\n" not in bad and b"\xef" not in bad)
    text = "".join([GERMAN, CHINESE, *parts, GERMAN])
    start = min(where, len(text))
    found = decode(text[:start].encode() + bad + text[start:].encode()).text
    before, after = text.rfind("\n", 0, start) + 1, text.find("\n", start)
    assert found[:before] == text[:before]
    assert after < 0 or found.endswith(text[after:])


@settings(deadline=None, max_examples=100)
@given(data=st.binary(max_size=300))
def test_no_letter_is_replaced_unsaid(data: bytes) -> None:
    assume(b"\xef\xbf\xbd" not in data)
    try:
        found = decode(data)
    except DocumentFailed:
        return
    if not found.encoding.startswith(("utf-16", "utf-32", "gb18030")):
        assert bool(found.unread) == ("\ufffd" in found.text) == bool(found.lost)


@pytest.mark.parametrize("language", SENTENCES)
def test_a_table_is_in_the_encoding_that_a_text_is_in(language: str) -> None:
    sentence, encoding = SENTENCES[language]
    data = (sentence + "\n").encode(encoding) * 5
    assert "".join(lines(io.BytesIO(data))) == decode(data).text


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "bad bytes": lambda n: b"\xff" * n,
    "letters": lambda n: b"caf\xe9 " * n,
    "lines": lambda n: b"caf\xe9\n" * n,
    "a line of UTF-8 with bad bytes": lambda n: ("é".encode() * 12 + b"\xe9 ") * n,
    "cut off": lambda n: (UTF8 + b"\xc3\n") * n,
    "halves": lambda n: b"\xed\xa0\xbd\xed\xb8\x80" * n,
    "half": lambda n: UTF8 * n + b"\xed\xa0\xbd " * n,
    "zeros": lambda n: b"a\0" * n,
    "braces": lambda n: b"~{" * n,
    "more braces": lambda n: b"~{" + b"ab" * n,
    "escapes": lambda n: b"\x1b$" * n,
    "marks": lambda n: ("ab\ufffe" * n).encode("utf-16"),
    "Japanese": lambda n: (JAPANESE.encode("cp932") + b"\xff\n") * n,
}


def _seconds(data: bytes) -> float:
    begin = time.process_time()
    with contextlib.suppress(DocumentFailed):
        decode(data)
    return time.process_time() - begin


@pytest.mark.parametrize("name", HOSTILE)
def test_the_cost_is_linear_in_the_size(name: str) -> None:
    one, two = (min(_seconds(HOSTILE[name](size)) for _ in range(2)) for size in (2_000, 16_000))
    assert two < 16 * one + 0.2


@given(
    st.lists(st.sampled_from([b"a", b"\xe9", b"\x80", b"\xff", b"\xc3", "é".encode(), "\ud7ff€漢😀".encode(), b"\n"]))
)
def test_damage_is_counted_as_character_by_character(parts: list[bytes]) -> None:
    text = b"".join(parts).decode("utf-8", "surrogateescape").replace("€", "\udc00")
    damaged = sum("\udc80" <= letter <= "\udcff" for letter in text)
    assert counts(text) == (damaged, sum(letter > "\x7f" for letter in text) - damaged)
