"""Documents are grouped by number and size, in their order, and none is lost."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.documents.document import Document
from tasks.documents.groups import grouped

SIZES = st.lists(st.integers(0, 50), max_size=60)


@given(SIZES, st.integers(1, 9), st.integers(1, 120))
def test_groups_keep_the_order_and_hold_no_more_than_one_document_too_much(
    sizes: list[int], most: int, largest: int
) -> None:
    documents = [Document(str(number), "file:///x", size) for number, size in enumerate(sizes)]
    groups = list(grouped(iter(documents), most, largest))
    assert [one for group in groups for one in group] == documents
    for group in groups:
        assert 0 < len(group) <= most
        assert sum(one.size for one in group[:-1]) < largest
