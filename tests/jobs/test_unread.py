"""A document of which a part can't be read is partial, and says which part."""

from pathlib import Path

import pytest

from tasks.calls.section_rows import MOST_NAMED, section_rows, unread_words
from tasks.documents.document import Content, Section, Unread
from tasks.documents.readers.isolated import Readers
from tests.conftest import RunJob
from tests.documents import made

TEXT = "The first page.\n\fThe third page."
SCANNED = Unread(16, "page 2", "an image of text")


def test_unread_parts_stand_among_the_sections_where_they_would_begin() -> None:
    content = Content(TEXT, (Section(0, 1, "The first page."),), unread=(SCANNED,))
    rows = section_rows("a.pdf", content)
    assert [(row["start_char"], row["end_char"], row["unread"]) for row in rows] == [
        (0, 17, None),
        (16, 16, "page 2: an image of text"),
        (17, len(TEXT), None),
    ]
    assert [row["position"] for row in rows] == [0, 1, 2]
    assert [row["page"] for row in rows] == [1, 1, 2]


def test_a_text_without_pages_or_headings_has_rows_of_its_unread_parts_alone() -> None:
    rows = section_rows("a.xlsx", Content("A table.", unread=(Unread(8, "Sheet1!B2", "no value"),)))
    assert [(row["start_char"], row["end_char"], row["page"], row["unread"]) for row in rows] == [
        (8, 8, None, "Sheet1!B2: no value")
    ]


def test_neighbours_of_one_reason_are_named_together() -> None:
    parts = [Unread(0, f"page {number}", "an image") for number in (2, 3)]
    assert (
        unread_words((*parts, Unread(0, "page 9", "damaged")))
        == "not read: page 2, page 3 (an image), page 9 (damaged)"
    )


def test_no_more_than_the_first_parts_are_named() -> None:
    many = tuple(Unread(0, f"page {number}", "an image") for number in range(1, 500))
    words = unread_words(many)
    assert words.endswith(f"page {MOST_NAMED} (an image), and {500 - 1 - MOST_NAMED} more (see sections)")


@pytest.mark.usefixtures("provider")
def test_a_document_of_which_a_part_was_not_read_is_partial_and_says_so(
    folder: Path, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.pdf").write_bytes(made.pdf([["The first page."], [], ["The third page."]]))
    monkeypatch.setattr(Readers, "read", lambda *_: Content(TEXT, unread=(SCANNED,)))
    ran = run_job()
    assert ran.code == 3
    row = ran.documents["a.pdf"]
    assert (row["status"], row["error_kind"], row["error"]) == (
        "partial",
        "unread_part",
        "not read: page 2 (an image of text)",
    )
    assert row["covered_characters"] == row["characters"] == len(TEXT)
    assert [(one["stage"], one["error_kind"]) for one in ran.rows("failures")] == [("read", "unread_part")]
    assert [one["unread"] for one in ran.rows("sections") if one["unread"]] == ["page 2: an image of text"]
