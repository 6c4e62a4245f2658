import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.chunking.boundaries import NEAR, SEAM, SLICE, seam_after, seam_before, slices


@settings(deadline=None, max_examples=60)
@given(
    runs=st.lists(
        st.tuples(st.sampled_from((" ", "\n", "a", "word ", "\u6f22", "\n\n")), st.integers(1, 70_000)),
        max_size=6,
    )
)
def test_slices_join_to_the_text_and_none_is_too_long(runs: list[tuple[str, int]]) -> None:
    text = "".join(piece * number for piece, number in runs)
    parts = list(slices(text))
    assert "".join(text[start:end] for start, end, _ in parts) == text
    assert all(0 < end - start <= SLICE for start, end, _ in parts)
    assert all(end - start > SLICE - NEAR for start, end, _ in parts[:-1])


def test_slices_end_at_seams_where_there_are_any() -> None:
    text = "word and " * 50_000
    parts = list(slices(text))
    assert all(seam for _, _, seam in parts)
    assert all(SEAM.match(text, start) for start, _, _ in parts[1:])


def test_a_slice_that_ends_without_a_seam_says_so() -> None:
    assert [seam for _, _, seam in slices("x" * (2 * SLICE + 1))] == [False, False, True]


@pytest.mark.parametrize("text", ["a  b", "a \nb", "a\t b", "a\u00a0 b", "a \u2581b", " b", "a ", "a\x1c b", ""])
def test_only_a_single_space_between_two_others_is_a_seam(text: str) -> None:
    assert SEAM.search(text) is None


def test_the_nearest_seams_lie_within_the_span_with_a_character_on_each_side() -> None:
    text = "aa bb cc"
    assert (seam_after(text, 0, 8), seam_before(text, 0, 8)) == (2, 5)
    assert seam_after(text, 2, 8) == 5
    assert seam_before(text, 0, 6) == 2
    assert seam_after(text, 0, 3) is None
    assert seam_before(text, 5, 8) is None
