from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.documents.id_set import CompactIdSet

GROUPS = st.lists(st.lists(st.integers(0, 300).map(str), max_size=40), max_size=40)


@settings(deadline=None, max_examples=100)
@given(groups=GROUPS)
def test_a_name_is_known_exactly_when_it_came_before(groups: list[list[str]]) -> None:
    seen, before = CompactIdSet(smallest=16), set[str]()
    for group in groups:
        expected = []
        for name in group:
            expected.append(name in before)
            before.add(name)
        assert seen.add(group).tolist() == expected


def test_no_name_of_a_hundred_thousand_is_taken_for_another() -> None:
    seen = CompactIdSet(smallest=1024)
    groups = [[f"row-{number}" for number in range(start, start + 1000)] for start in range(0, 100_000, 1000)]
    assert not any(seen.add(group).any() for group in groups)
    assert all(seen.add(group).all() for group in groups)
