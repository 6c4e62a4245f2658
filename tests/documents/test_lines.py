import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.documents.tables import lines as module
from tasks.documents.tables.lines import is_whole, lines

TEXTS = st.text(st.sampled_from('ab ,"\u00e9\u6f22\U0001f600\n\r\u2028\x0b'), max_size=300)


@settings(deadline=None, max_examples=200)
@given(
    text=TEXTS, encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), block=st.sampled_from([4, 5, 7, 64, 1024])
)
def test_the_lines_of_a_text_are_its_own_wherever_its_blocks_end(text: str, encoding: str, block: int) -> None:
    file = io.BytesIO(text.encode(encoding))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "BLOCK", block)
        assert list(lines(file)) == list(io.StringIO(text, newline=""))


@settings(deadline=None, max_examples=100)
@given(text=TEXTS, encoding=st.sampled_from(["utf-16", "utf-32"]))
def test_a_mark_names_the_encoding(text: str, encoding: str) -> None:
    assert list(lines(io.BytesIO(text.encode(encoding)))) == list(io.StringIO(text, newline=""))


def test_a_byte_that_fits_no_encoding_spoils_its_line_alone() -> None:
    sound = "caf\u00e9 \u6f22\n".encode() * 20
    found = list(lines(io.BytesIO(sound + b"bad \xff byte\n" + sound)))
    assert [number for number, line in enumerate(found) if not is_whole(line)] == [20]


def test_a_line_without_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST", 3 * module.BLOCK)
    with pytest.raises(ValueError, match="a line is longer than"):
        list(lines(io.BytesIO(b"x" * (5 * module.BLOCK))))
