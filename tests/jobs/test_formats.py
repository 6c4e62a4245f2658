"""A folder with one of each format and one damaged of each; and the way from a call back to its page."""

from itertools import pairwise
from pathlib import Path

import duckdb
import pytest

from tests.conftest import RunJob
from tests.documents import made
from tests.documents.test_readers import GOOD
from tests.jobs.texts import prose, put
from tests.simulator import Simulator

TEXTS = {
    "a.md": b"# The mill\n\nIt turned by day.\n",
    "a.rst": b"The mill\n========\n\nIt turned by day.\n",
    "a.txt": "The mill. It turned by day. \u00fc".encode("utf-16"),
    "a.py": b"def mill():\n    return 'It turned by day.'\n",
}


def damaged(name: str, data: bytes) -> bytes:
    """Half a file; of text, what no encoding takes."""
    return b"\x00\xff\xfe" * 50 if name in TEXTS else data[: len(data) // 2]


@pytest.mark.usefixtures("provider")
def test_every_good_file_is_done_and_every_bad_one_is_a_failure_in_words(folder: Path, run_job: RunJob) -> None:
    files = GOOD | TEXTS
    readable = {"a.html", "a.eml"}  # half a page and half a message are less text, not damage
    for name, data in files.items():
        (folder / name).write_bytes(data)
        if name not in readable:
            (folder / f"bad-{name}").write_bytes(damaged(name, data))
    ran = run_job()
    assert ran.code == 3
    done = {name for name, row in ran.documents.items() if row["status"] == "done"}
    assert done == set(files)
    failures = {row["document_id"]: row for row in ran.rows("failures")}
    assert set(failures) == {f"bad-{name}" for name in files if name not in readable}
    assert {row["error_kind"] for row in failures.values()} <= {"damaged", "not_text"}
    assert all(":" in row["error"] or "convert" in row["error"] for row in failures.values())


@pytest.mark.usefixtures("provider")
def test_a_call_leads_back_to_its_page_and_section(folder: Path, run_job: RunJob) -> None:
    pages = [[f"Part {number}", *prose(1200, number).splitlines()] for number in range(30)]
    data = made.pdf(pages, marks=[(f"Part {number}", number) for number in range(30)])
    (folder / "a.pdf").write_bytes(data)
    put(folder, "a.md", "# The mill\n\n" + prose(40_000) + "\n\n## Its wheel\n\n" + prose(40_000))
    put(folder, "plain.txt", prose(40_000))
    ran = run_job()
    found = duckdb.execute(
        f"""select c.document_id, c.position, min(s.page), max(s.page), arg_min(s.section, s.start_char)
        from '{ran.output}/calls/*.parquet' c join '{ran.output}/sections/*.parquet' s
        on c.document_id = s.document_id and s.start_char < c.end_char and c.start_char < s.end_char
        where c.level = 0 group by all order by all"""
    ).fetchall()
    of_pdf = [row for row in found if row[0] == "a.pdf"]
    assert of_pdf[0][2:] == (1, of_pdf[0][3], "Part 0")
    assert of_pdf[-1][3] == 30
    assert all(before[3] in (after[2], after[2] - 1) for before, after in pairwise(of_pdf))
    of_markdown = [row[4] for row in found if row[0] == "a.md"]
    assert of_markdown[0] == "The mill"
    assert of_markdown[-1] == "The mill \u203a Its wheel"
    assert not [row for row in found if row[0] == "plain.txt"]


def test_sections_follow_a_changed_document(folder: Path, provider: Simulator, run_job: RunJob) -> None:
    put(folder, "a.md", "# Old\n\ntext\n")
    run_job()
    put(folder, "a.md", "# New\n\ntext\n")
    ran = run_job()
    assert [row["section"] for row in ran.rows("sections")] == ["New"]
    assert provider.counts.requests == 2
