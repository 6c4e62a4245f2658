"""How alike texts are."""

import pytest

from tasks.comparison.text_similarity import agreements, rouge_l


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        # Worked out by hand: twice the longest common subsequence of words, by the words of both.
        ("the cat sat on the mat", "the cat sat on the mat", 1.0),
        ("police killed the gunman", "police kill the gunman", 2 * 3 / 8),
        ("the gunman killed police", "police kill the gunman", 2 * 2 / 8),
        ("The Mill, 1890!", "the mill 1890", 1.0),
        ("a b c", "x y z", 0.0),
        ("", "something", 0.0),
        ("...", "something", 0.0),
        ("吾輩は猫である", "吾輩は犬である", 2 * 6 / 14),
        ("Ärger über Öl", "ärger über gas", 2 * 2 / 6),
    ],
)
def test_rouge_l_is_the_longest_common_subsequence_of_both_lengths(
    answer: str, reference: str, expected: float
) -> None:
    assert rouge_l(answer, reference) == pytest.approx(expected)
    assert rouge_l(reference, answer) == pytest.approx(expected)


def test_answers_that_say_the_same_agree_more_than_one_that_does_not() -> None:
    flood = "The river flooded the harbour and the boats were lost."
    same = "The harbour was flooded by the river, and boats were lost."
    other = "Interest rates on government bonds fell again in March."
    pairs, shared = agreements({"a": {"1": flood, "2": flood}, "b": {"1": same}, "c": {"1": other}})
    cosines = {(pair.one, pair.other): pair.cosine for pair in pairs}
    assert cosines["a", "b"] > 0.7 > 0.4 > cosines["a", "c"]
    assert {pair.documents for pair in pairs} == {1}
    assert shared["a", "1"] == pytest.approx((cosines["a", "b"] + cosines["a", "c"]) / 2)
    assert ("a", "2") not in shared


def test_equal_answers_agree_wholly() -> None:
    ((pair,), _) = agreements({"a": {"1": "A mill by the river."}, "b": {"1": "A mill by the river."}})
    assert pair.cosine == pytest.approx(1.0)
