"""What of a document is missing where some of its chunks failed, and how a request is parted among documents."""

from hypothesis import given
from hypothesis import strategies as st

from tasks.calls.packing import SPECIAL_TOKENS, Packing, TextToEmbed, pack
from tasks.embeddings.cost_share import shared
from tasks.embeddings.embedded_rows import missing_characters

SPANS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda one: (one[0], one[0] + one[1])), max_size=6
)
PIECES = st.lists(
    st.tuples(st.integers(1, 50), st.sampled_from("abc")).map(lambda one: TextToEmbed("id", "text", one[0], one[1])),
    min_size=1,
)


@given(SPANS, SPANS)
def test_missing_is_what_no_good_chunk_holds(bad: list[tuple[int, int]], good: list[tuple[int, int]]) -> None:
    lost = {place for start, end in bad for place in range(start, end)}
    kept = {place for start, end in good for place in range(start, end)}
    assert missing_characters(bad, good) == len(lost - kept)


@given(PIECES, st.integers(0, 5000), st.floats(0, 10))
def test_shares_add_up_to_the_request(pieces: list[TextToEmbed], tokens: int, cost: float) -> None:
    shares = shared(pieces, tokens, cost)
    assert sum(share.tokens for share in shares.values()) == tokens
    assert abs(sum(share.cost or 0.0 for share in shares.values()) - cost) < 1e-9
    assert set(shares) == {piece.document_id for piece in pieces}
    assert sum(share.first for share in shares.values()) == 1


@given(PIECES, st.integers(1, 5), st.integers(10, 200))
def test_requests_keep_the_order_and_the_limits(pieces: list[TextToEmbed], inputs: int, tokens: int) -> None:
    groups = list(pack(pieces, Packing(inputs, tokens)))
    assert [piece for group in groups for piece in group] == pieces
    for group in groups:
        assert len(group) <= inputs
        assert len(group) == 1 or sum(piece.tokens + SPECIAL_TOKENS for piece in group) <= tokens
