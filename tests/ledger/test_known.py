"""The filter before the file: it never denies what is there, and seldom suspects what isn't."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ledger.bloom_filter import BloomFilter

IDS = st.binary(min_size=32, max_size=32).map(bytes.hex)


@given(st.lists(IDS, max_size=50), IDS)
@settings(max_examples=25, deadline=None)
def test_it_never_says_no_of_an_id_that_was_added(ids: list[str], last: str) -> None:
    known = BloomFilter()
    for number, one in enumerate([*ids, last]):
        known.add(one)
        assert all(earlier in known for earlier in ids[:number])
        assert one in known


@given(st.lists(IDS, max_size=50))
@settings(max_examples=25, deadline=None)
def test_many_ids_at_once_are_remembered_as_one_by_one(ids: list[str]) -> None:
    together, apart = BloomFilter(), BloomFilter()
    assert together.add_all(ids) == len(ids)
    for one in ids:
        apart.add(one)
    assert together._bits == apart._bits


def test_an_empty_filter_knows_nothing() -> None:
    known = BloomFilter()
    assert not any(os.urandom(32).hex() in known for _ in range(1000))


def test_at_a_million_ids_it_is_wrong_about_fewer_than_one_unknown_in_a_hundred() -> None:
    known = BloomFilter()
    for _ in range(1_000_000):
        known.add(os.urandom(16).hex())
    wrong = sum(os.urandom(16).hex() in known for _ in range(50_000))
    assert wrong < 500


def test_an_id_that_is_no_hexadecimal_number_is_refused() -> None:
    with pytest.raises(ValueError):
        BloomFilter().add("not an id")
    for wrong in ("not an id", "ab", "ab " * 20):
        with pytest.raises(ValueError):
            BloomFilter().add_all([32 * "ab", wrong])
