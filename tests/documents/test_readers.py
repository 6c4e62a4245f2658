import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.base.errors import DocumentFailed
from tasks.calls.section_rows import section_rows
from tasks.documents.document import Document
from tasks.documents.extract import extract
from tasks.documents.readers import bounds, isolated
from tasks.documents.readers.bounds import check_archive, unzip
from tasks.documents.readers.code import read_code
from tasks.documents.readers.isolated import Readers
from tasks.documents.readers.pdf.reader import PAGE, mend
from tests.documents import made

ROOT = Path(__file__).parents[2]

PARAGRAPHS = (("Heading1", "The mill"), ("Normal", "It turned by day."))
GOOD = {
    "a.pdf": made.pdf([["The mill", "It turned by day."]]),
    "a.docx": made.docx(*PARAGRAPHS),
    "a.pptx": made.pptx(("The mill", "It turned by day.")),
    "a.xlsx": made.xlsx(mill=[["The mill", 1], [None, None], ["It turned by day.", 2.5]]),
    "a.html": b"<html><head><title>No</title><style>x{}</style></head><body><h1>The mill</h1><p>It turned by day.</p>",
    "a.epub": made.epub(
        "<html><body><h1>The mill</h1></body></html>", "<html><body><p>It turned by day.</p></body></html>"
    ),
    "a.eml": made.mail("<h1>The mill</h1><p>It turned by day.</p>"),
    "a.txt.gz": made.packed("The mill\nIt turned by day. déjà\n".encode("latin-1")),
    "a.pdf.gz": made.packed(made.pdf([["The mill", "It turned by day."]])),
}


def read(folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.write_bytes(data)
    return extract(Document(name, path.as_uri(), len(data), path=str(path))).text


def refused(folder: Path, name: str, data: bytes) -> DocumentFailed:
    with pytest.raises(DocumentFailed) as failed:
        read(folder, name, data)
    return failed.value


@pytest.fixture(scope="module", autouse=True)
def closed() -> Iterator[None]:
    yield
    isolated.readers().close()


@pytest.mark.parametrize("name", GOOD)
def test_each_format_gives_its_text_in_order(tmp_path: Path, name: str) -> None:
    text = read(tmp_path, name, GOOD[name])
    assert 0 <= text.index("The mill") < text.index("It turned by day.")
    assert "x{}" not in text


@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.html", "a.epub", "a.eml"])
def test_headings_are_kept_as_markdown(tmp_path: Path, name: str) -> None:
    assert "# The mill\n" in read(tmp_path, name, GOOD[name])


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.pptx", "a.xlsx", "a.epub", "a.txt.gz", "a.pdf.gz"])
def test_half_a_file_is_a_failure_that_says_what_it_is(tmp_path: Path, name: str) -> None:
    data = GOOD[name]
    failed = refused(tmp_path, name, data[: len(data) // 2] if "pdf" not in name else data[:60])
    assert failed.reason in ("damaged", "no_text")
    assert "damaged" in str(failed)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x89PNG\r\n\x1a\n\0", "PNG image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG image"),
        (b"PAR1\x15\x04", "Parquet table"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0", "Office file"),
        (b"{\\rtf1 text}", "RTF"),
        (made.zipped({"notes.txt": "x"}), "ZIP archive"),
    ],
)
def test_what_has_no_reader_is_named_with_a_way_out(tmp_path: Path, data: bytes, words: str) -> None:
    failed = refused(tmp_path, "file", data)
    assert failed.reason == "not_text"
    assert words in str(failed)


def test_a_place_in_a_pdf_leads_back_to_its_page(tmp_path: Path) -> None:
    text = read(tmp_path, "a.pdf", made.pdf([["first words"], ["second words"], ["third words"]]))
    assert [text[: text.index(word)].count("\f") + 1 for word in ("first", "second", "third")] == [1, 2, 3]


def test_a_running_head_stands_once_and_page_numbers_are_left_out(tmp_path: Path) -> None:
    pages = [["The Mill Review", f"Text of page {word}.", f"page {number}"] for number, word in enumerate("abcd")]
    text = read(tmp_path, "a.pdf", made.pdf(pages))
    assert text.split(PAGE) == ["The Mill Review\nText of page a.", *(f"Text of page {word}." for word in "bcd")]


@pytest.mark.parametrize(
    ("page", "mended"),
    [
        ("the won-\nderful mill", "the wonderful mill"),
        ("the won\x02\nderful mill", "the wonderful mill"),
        ("Baden-\nBaden", "Baden-\nBaden"),
        ("from 1-\n2", "from 1-\n2"),
        ("\ufb01ne \ufb02our, o\ufb03ce", "fine flour, office"),
    ],
)
def test_words_parted_at_a_line_end_and_ligatures_are_mended(page: str, mended: str) -> None:
    assert mend(page) == mended


def test_a_pdf_without_text_says_so(tmp_path: Path) -> None:
    assert refused(tmp_path, "scan.pdf", made.pdf([[], []])).reason == "no_text"


def test_a_pdf_with_a_password_says_so(tmp_path: Path) -> None:
    keys = "<</Filter/Standard/V 1/R 2/P -4/O<" + "41" * 32 + ">/U<" + "42" * 32 + ">>>"
    data = made.pdf([["secret"]], f"/Encrypt {keys}/ID[<41><41>]")
    assert refused(tmp_path, "a.pdf", data).reason == "encrypted"


def test_a_sold_epub_is_told_as_protected(tmp_path: Path) -> None:
    data = made.epub("<p>x</p>", **{"META-INF/rights.xml": "<rights/>"})
    assert refused(tmp_path, "a.epub", data).reason == "encrypted"


def test_a_zip_bomb_is_a_failure(tmp_path: Path) -> None:
    data = made.zipped({"word/document.xml": b"\0" * 40_000_000})
    assert refused(tmp_path, "bomb.docx", data).reason == "too_large"
    with pytest.raises(DocumentFailed, match="unpacked"):
        check_archive(data)


def test_a_gzip_bomb_is_a_failure_without_being_unpacked_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = made.packed(b"\0" * 40_000_000)
    assert refused(tmp_path, "bomb.gz", data).reason == "too_large"
    monkeypatch.setattr(bounds, "STEP", 4096)
    monkeypatch.setattr(bounds, "SMALL", 8192)
    with pytest.raises(DocumentFailed, match="become 7782400 or more"):
        unzip(data)


def test_a_file_packed_again_and_again_is_a_failure(tmp_path: Path) -> None:
    assert read(tmp_path, "twice.gz", made.packed(b"text", 2)) == "text"
    assert refused(tmp_path, "thrice.gz", made.packed(b"text", 3)).reason == "too_large"


def test_external_entities_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden words")
    entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{(tmp_path / "secret").as_uri()}">]>'
    book = made.epub(f"{entity}<html><body><p>Seen &e;</p></body></html>")
    assert "hidden" not in read(tmp_path, "a.epub", book)


def test_ten_thousand_pages_that_are_one_object_are_a_failure(tmp_path: Path) -> None:
    data = made.pdf([["x" * 50] * 40]).replace(b"/Count 1", b"/Count 10000")
    data = data.replace(b"[5 0 R]", b"[" + b"5 0 R " * 10_000 + b"]")
    assert refused(tmp_path, "a.pdf", data).reason == "too_large"


class Slow:
    """A connection whose other end takes its time."""

    def __init__(self, process: Any) -> None:
        self._connection = process._connection

    def send_bytes(self, data: bytes) -> None:
        """Say nothing: so no answer comes."""

    def poll(self, seconds: float) -> bool:
        return bool(self._connection.poll(seconds))

    def close(self) -> None:
        self._connection.close()


def test_a_reader_that_hangs_is_cut_off_and_the_next_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.pdf").write_bytes(GOOD["a.pdf"])
    readers = Readers(1, seconds=30)
    assert "mill" in readers.read(str(tmp_path / "a.pdf"), "pdf").text
    process = readers._idle[0]
    monkeypatch.setattr(process, "_connection", Slow(process))
    monkeypatch.setattr(readers, "_seconds", 0.05)
    with pytest.raises(DocumentFailed) as failed:
        readers.read(str(tmp_path / "a.pdf"), "pdf")
    assert failed.value.reason == "timeout"
    assert process._process.poll() is not None
    monkeypatch.setattr(readers, "_seconds", 30)
    assert "mill" in readers.read(str(tmp_path / "a.pdf"), "pdf").text
    readers.close()


def test_a_reader_is_cut_off_once_nobody_wants_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.pdf").write_bytes(GOOD["a.pdf"])
    readers = Readers(1)
    readers.read(str(tmp_path / "a.pdf"), "pdf")
    process = readers._idle[0]
    monkeypatch.setattr(process, "_connection", Slow(process))
    monkeypatch.setattr(isolated, "LOOK_AGAIN", 0.01)
    answers = iter([False, False, True])
    with pytest.raises(DocumentFailed) as failed:
        readers.read(str(tmp_path / "a.pdf"), "pdf", lambda: next(answers))
    assert failed.value.reason == "stopped"
    assert process._process.poll() is not None
    readers.close()


def test_a_reader_that_crashes_takes_only_its_file_with_it(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(GOOD["a.pdf"])
    readers = Readers(1)
    assert "mill" in readers.read(str(tmp_path / "a.pdf"), "pdf").text
    pid = readers._idle[0]._process.pid
    os.kill(pid, signal.SIGSTOP)  # it has begun the file, and doesn't come to its end
    threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(DocumentFailed) as failed:
        readers.read(str(tmp_path / "a.pdf"), "pdf")
    assert failed.value.reason == "crashed"
    assert "mill" in readers.read(str(tmp_path / "a.pdf"), "pdf").text
    readers.close()


def test_readers_are_given_no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key-of-the-tests")
    (tmp_path / "a.pdf").write_bytes(GOOD["a.pdf"])
    readers = Readers(1)
    readers.read(str(tmp_path / "a.pdf"), "pdf")
    environment = Path(f"/proc/{readers._idle[0]._process.pid}/environ").read_bytes()
    readers.close()
    assert b"secret-key" not in environment


def test_a_reader_ends_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(GOOD["a.pdf"])
    readers = Readers(1)
    readers.read(str(tmp_path / "a.pdf"), "pdf")
    process = readers._idle[0]
    process._connection.close()
    for _ in range(200):
        if process._process.poll() is not None:
            break
        time.sleep(0.05)
    assert process._process.poll() == 0
    assert os.getpid() != process._process.pid
    readers.close()


ENDLESS = """
import sys
from tasks.documents.readers.isolated import _Process
process = _Process()
process._connection.send_bytes(b'["' + sys.argv[1].encode() + b'", "code"]')
print(process._process.pid, flush=True)
sys.stdin.read()
"""


def test_a_reader_that_never_returns_to_python_ends_with_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "a.js"
    path.write_text("/* " * 3_000_000)  # tree-sitter takes the square of it, within its bound of a minute
    command = [sys.executable, "-c", ENDLESS, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        reader = Path("/proc", parent.stdout.readline().strip())
        time.sleep(2)
        assert reader.exists()
        parent.kill()
    assert _ends(reader)


def _ends(process: Path) -> bool:
    for _ in range(100):
        if not process.exists() or "Z (" in process.joinpath("status").read_text():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("name", ["a.js", "a.c", "a.java", "a.sh", "a.py"])
def test_what_a_grammar_takes_too_long_over_is_plain_text(name: str) -> None:
    text = {"a.sh": "<<A\n", "a.py": "<!--"}.get(name, "/* ") * 50_000
    content = read_code(text.encode(), name)
    assert (content.text, content.sections) == (text, ())


@pytest.mark.parametrize("kind", ["xlsx", "pptx"])
def test_each_sheet_and_slide_is_a_section_of_its_own(tmp_path: Path, kind: str) -> None:
    data = made.xlsx(Alpha=[["a"]], Beta=[["b"]]) if kind == "xlsx" else made.pptx(("Alpha", "a"), ("Beta", "b"))
    path = tmp_path / f"a.{kind}"
    path.write_bytes(data)
    content = extract(Document("a", path.as_uri(), len(data), path=str(path)))
    assert [row["section"] for row in section_rows("a", content)] == ["Alpha", "Beta"]
    assert [row["page"] for row in section_rows("a", content)] == [1, 2]


def test_an_idle_reader_that_was_ended_meanwhile_costs_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(GOOD["a.pdf"])
    pool = Readers(1)
    pool.read(str(tmp_path / "a.pdf"), "pdf")
    os.kill(pool._idle[0]._process.pid, 9)
    pool._idle[0]._process.wait()
    assert "mill" in pool.read(str(tmp_path / "a.pdf"), "pdf").text
    pool.close()
