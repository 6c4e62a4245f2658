import codecs
import json
import os
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tasks.base.errors import DocumentFailed
from tasks.documents.document import Document
from tasks.documents.encodings.decode import decode
from tasks.documents.extract import extract

JAPANESE = (
    "\u543e\u8f29\u306f\u732b\u3067\u3042\u308b\u3002\u540d\u524d\u306f\u307e\u3060\u7121\u3044\u3002\n"
    "\u3069\u3053\u3067\u751f\u308c\u305f\u304b\u3068\u3093\u3068\u898b\u5f53\u304c\u3064\u304b\u306c\u3002\n"
) * 20
FRENCH = (
    "Le ch\u00e2teau \u00e9tait d\u00e9sert; o\u00f9 donc \u00e9taient pass\u00e9s les h\u00f4tes de l'\u00e9t\u00e9? "
    "Personne ne r\u00e9pondit, et la for\u00eat derri\u00e8re le fleuve restait silencieuse\n"
) * 20
TEXTS = st.text(min_size=1, max_size=300).filter(lambda text: bool(text.strip()))


def of_table(text: str | None) -> Document:
    return Document("row", "file:///table.jsonl#row=0", 0, text=text)


def of_file(path: Path) -> Document:
    return Document(path.name, path.as_uri(), 0, path=str(path))


def refused(data: bytes) -> DocumentFailed:
    with pytest.raises(DocumentFailed) as failed:
        decode(data)
    return failed.value


@settings(deadline=None, max_examples=150)
@given(text=TEXTS)
def test_utf8_comes_out_exactly_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    data = text.encode()
    assume(b"\0" not in data and "\n\ufeff" not in text)
    assume(not text.startswith(("\ufeff", "PAR1", "%PDF-", "PK\x03\x04")))
    path = tmp_path_factory.getbasetemp() / "document.txt"
    path.write_bytes(data)
    assert extract(of_file(path)).text == text


@settings(deadline=None, max_examples=150)
@given(text=TEXTS)
def test_the_text_of_a_table_is_taken_as_it_is(text: str) -> None:
    assert extract(of_table(text)).text == text


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
    ids=["UTF-8", "UTF-16 LE", "UTF-16 BE", "UTF-32 LE", "UTF-32 BE"],
)
@settings(deadline=None, max_examples=80)
@given(text=TEXTS)
def test_a_mark_names_the_encoding_and_is_no_part_of_the_text(mark: bytes, encoding: str, text: str) -> None:
    assume("\0" not in text and "\n\ufeff" not in text)
    assert decode(mark + text.encode(encoding)).text == text


# Too long to be looked at as a whole; where the sample of one would end inside a character, the other's wouldn't.
@pytest.mark.parametrize(
    "text",
    [JAPANESE, JAPANESE[:60], JAPANESE * 400, "a" + JAPANESE * 400],
    ids=["long", "short", "half a megabyte", "half a megabyte and a byte"],
)
def test_shift_jis_is_detected(text: str) -> None:
    assert decode(text.encode("shift-jis")).text == text


def test_latin_1_is_detected() -> None:
    assert decode(FRENCH.encode("latin-1")).text == FRENCH


def test_a_mark_of_utf8_before_another_encoding_is_no_part_of_the_text_either() -> None:
    assert decode(codecs.BOM_UTF8 + b"caf\xe9 au lait").text == "caf\u00e9 au lait"
    assert decode(codecs.BOM_UTF8 + FRENCH.encode("cp1252")).text == FRENCH


@settings(deadline=None, max_examples=60)
@given(start=st.binary(max_size=20), byte=st.integers(0, 255))
def test_any_bytes_with_many_zeros_and_others_are_binary(start: bytes, byte: int) -> None:
    failed = refused(start + bytes([0, 0, byte, 1, 0, 3, byte, 0, 0x81, 0xFF, 2]) * 20)
    assert failed.reason == "not_text"
    assert "binary" in str(failed)


@settings(deadline=None, max_examples=150)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_text_or_fail_by_reason(data: bytes) -> None:
    try:
        text = decode(data).text
    except DocumentFailed as failed:
        reason = failed.reason
    else:
        reason = "" if isinstance(text, str) else "no text"
    assert reason in {"", "not_text"}


@pytest.mark.parametrize("text", ["", " ", "\n\n\t ", "\u3000\u00a0", None])
def test_a_document_without_text_is_a_failure_with_a_reason(tmp_path: Path, text: str | None) -> None:
    (tmp_path / "empty.txt").write_text(text or "", encoding="utf-8")
    for document in (of_table(text), of_file(tmp_path / "empty.txt")):
        with pytest.raises(DocumentFailed) as failed:
            extract(document)
        assert (failed.value.reason, failed.value.stage) == ("empty", "read")


def test_a_file_of_nothing_but_a_mark_is_empty(tmp_path: Path) -> None:
    (tmp_path / "marked.txt").write_bytes(codecs.BOM_UTF16_LE)
    with pytest.raises(DocumentFailed) as failed:
        extract(of_file(tmp_path / "marked.txt"))
    assert failed.value.reason == "empty"


def test_a_dangling_link_is_unreadable_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DocumentFailed, match="No such file") as failed:
        extract(of_file(tmp_path / "gone.txt"))
    assert failed.value.reason == "unreadable"


def test_a_folder_in_a_files_place_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(DocumentFailed) as failed:
        extract(of_file(tmp_path))
    assert failed.value.reason == "unreadable"


@pytest.mark.timeout(10)
def test_a_pipe_is_unreadable_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DocumentFailed, match="this is a pipe, socket or device") as failed:
        extract(of_file(tmp_path / "pipe"))
    assert failed.value.reason == "unreadable"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\udc00a", "\ufffda"),
        ("a\udfff", "a\ufffd"),
        ("ab\ud800", "ab\ufffd"),
        ("a\ud800\ud800b", "a\ufffd\ufffdb"),
        ("a\ud83d\ude00b", "a\U0001f600b"),
    ],
)
def test_a_lone_surrogate_becomes_one_replacement_character(text: str, clean: str) -> None:
    assert extract(of_table(text)).text == clean


@settings(deadline=None, max_examples=150)
@given(text=st.text(st.sampled_from("ab \ud800\udbff\udc00\udfff\U0001f600\u6f22"), min_size=1, max_size=40))
def test_no_surrogate_is_left_and_no_other_character_lost(text: str) -> None:
    assume(text.strip())
    clean = extract(of_table(text)).text
    clean.encode()
    kept = "ab \u6f22"
    assert [character for character in clean if character in kept] == [c for c in text if c in kept]


SENTENCES: dict[str, tuple[str, str]] = json.loads(
    Path(__file__).with_name("languages.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("times", [1, 5, 200])
@pytest.mark.parametrize("language", SENTENCES)
def test_the_code_pages_of_many_languages_are_told_apart(language: str, times: int) -> None:
    sentence, encoding = SENTENCES[language]
    text = (sentence + "\n") * times
    assert decode(text.encode(encoding)).text == text


def test_accents_far_into_a_file_tell_its_encoding_as_well() -> None:
    text = "plain words\n" * 50_000 + SENTENCES["French"][0]
    assert decode(text.encode("cp1252")).text == text
