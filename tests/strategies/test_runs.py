"""What each strategy asks, given these answers: without a provider, by a fake that answers from a table."""

import asyncio
import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.base.errors import DocumentFailed, Overflow
from tasks.calls.cutting import Cut
from tasks.calls.rows import Outcome
from tasks.chunking.splitter import Chunk
from tasks.prompting.conversation import Text
from tasks.strategies.map_reduce import fill_groups
from tasks.strategies.named import EVERY, STRATEGIES
from tasks.strategies.strategy import SizedAnswer

Answer = Callable[[str], str | None]


def cut_at(text: str, *places: int) -> Cut:
    """A text cut at some places."""
    edges = [0, *sorted({place for place in places if 0 < place < len(text)}), len(text)]
    chunks = tuple(Chunk(start, end, end - start) for start, end in itertools.pairwise(edges))
    return Cut(text, chunks, is_whole=len(chunks) == 1)


class FakeAsk:
    """Answers by a function of what it is asked about, and notes that; an answer has a token a character."""

    def __init__(self, cut: Cut, answer: Answer, room: int = 10**6, refuse: int = 0) -> None:
        self.cut, self.room, self.refuse = cut, room, refuse
        self.asked: list[tuple[str, int, int, str]] = []
        self._answer = answer

    def _said(self, stage: str, level: int, number: int, text: str) -> Text | None:
        self.asked.append((stage, level, number, text))
        answer = self._answer(text)
        return None if answer is None else Text(answer, cut=answer.endswith("…"))

    async def chunk(self, number: int) -> Text | None:
        return self._said("map", 0, number, self.cut.passage(self.cut.chunks[number]))

    async def refined(self, number: int, answer: SizedAnswer) -> Text | None:
        return self._said("refine", 0, number, f"{answer.answer.text}+{self.cut.passage(self.cut.chunks[number])}")

    async def merged(self, level: int, number: int, group: Sequence[SizedAnswer], *, last: bool) -> Text | None:
        if self.refuse:
            self.refuse -= 1
            raise Overflow("context_overflow", "too long")
        if len(group) == 1:
            return group[0].answer
        return self._said("last" if last else "reduce", level, number, "|".join(one.answer.text for one in group))

    async def sized(self, answers: Sequence[Text]) -> list[SizedAnswer]:
        return [SizedAnswer(one, len(one.text)) for one in answers]

    def room_to_merge(self, answers: Sequence[Text]) -> int:
        assert answers
        return self.room

    def joined(self, answers: Sequence[Text]) -> Text | None:
        assert answers
        return None

    def overflowed(self, error: Overflow) -> None:
        assert error.words
        self.room //= 2

    def last_failure(self) -> DocumentFailed:
        return DocumentFailed("http_400", "the last call failed")


def run(name: str, ask: FakeAsk) -> Outcome:
    return asyncio.run(STRATEGIES[name].run(ask))


def short(text: str) -> str:
    """An answer of three characters."""
    return text.strip()[:3]


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_text_of_one_chunk_is_asked_about_once(name: str) -> None:
    ask = FakeAsk(cut_at("one text"), short)
    assert run(name, ask) == Outcome("one", 8, cut=False)
    assert ask.asked == [("map", 0, 0, "one text")]


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_text_of_which_no_chunk_is_answered_fails_by_its_last_call(name: str) -> None:
    with pytest.raises(DocumentFailed, match="the last call failed"):
        run(name, FakeAsk(cut_at("aaabbb") if name == "stuff" else cut_at("aaabbb", 3), lambda _: None))


def test_map_reduce_asks_over_the_chunks_and_then_over_their_answers_in_order() -> None:
    ask = FakeAsk(cut_at("one two thr", 4, 8), short)
    assert run("map-reduce", ask) == Outcome("one", 11, cut=False)
    assert ask.asked[3:] == [("last", 1, 0, "one|two|thr")]


def test_map_reduce_merges_level_by_level_where_no_call_holds_all_answers() -> None:
    ask = FakeAsk(cut_at("aaabbbcccddd", 3, 6, 9), short, room=6)
    assert run("auto", ask).output == "aaa"
    assert [asked[:3] for asked in ask.asked[4:]] == [("reduce", 1, 0), ("reduce", 1, 1), ("last", 2, 0)]


def test_map_reduce_groups_anew_where_a_route_counts_more_than_was_thought() -> None:
    ask = FakeAsk(cut_at("aaabbbcccddd", 3, 6, 9), short, room=12, refuse=1)
    assert run("map-reduce", ask).output == "aaa"
    assert [asked[:3] for asked in ask.asked[4:]] == [("reduce", 1, 0), ("reduce", 1, 1), ("last", 2, 0)]


def test_map_reduce_ends_where_no_two_answers_fit_in_one_call() -> None:
    with pytest.raises(DocumentFailed, match="no two of them fit") as caught:
        run("map-reduce", FakeAsk(cut_at("aaabbb", 3), short, room=5))
    assert caught.value.reason == "cannot_reduce"


def test_map_reduce_leaves_out_what_failed() -> None:
    ask = FakeAsk(cut_at("aaabadccc", 3, 6), lambda text: None if text == "bad" else short(text))
    assert run("map-reduce", ask) == Outcome("aaa", 6, cut=False)
    assert ask.asked[-1] == ("last", 1, 0, "aaa|ccc")


def test_refine_carries_the_answer_on_and_passes_over_what_failed() -> None:
    ask = FakeAsk(cut_at("aaabadccc", 3, 6), lambda text: None if "bad" in text else text.upper())
    assert run("refine", ask) == Outcome("AAA+CCC", 6, cut=False)
    assert [asked[3] for asked in ask.asked] == ["aaa", "AAA+bad", "AAA+ccc"]


TEXTS = st.text(st.sampled_from("ab \n\t\u3000é"), min_size=1, max_size=40)


@given(TEXTS, st.lists(st.integers(0, 40), max_size=6))
def test_a_text_that_a_model_repeats_is_concatenated_to_itself(text: str, places: list[int]) -> None:
    ask = FakeAsk(cut_at(text, *places), lambda passage: f" {passage.strip()}\n")
    outcome = run("concatenate", ask)
    assert outcome.output.strip() == text.strip()
    assert outcome.covered == len(text)


@given(TEXTS.filter(str.strip), st.lists(st.integers(0, 40), min_size=1, max_size=6), st.data())
def test_of_a_concatenated_text_only_what_failed_is_missing(text: str, places: list[int], data: st.DataObject) -> None:
    cut = cut_at(text, *places)
    bad = data.draw(st.integers(0, len(cut.chunks) - 1))
    asked = iter(range(len(cut.chunks)))
    ask = FakeAsk(cut, lambda passage: None if next(asked) == bad else passage)
    if len(cut.chunks) == 1:
        return
    outcome = run("concatenate", ask)
    missing = cut.chunks[bad]
    rest = (text[: missing.start] + text[missing.end :]).split()
    assert "".join(outcome.output.split()) == "".join(rest)
    assert outcome.covered == len(text) - (missing.end - missing.start)


def test_an_answer_that_was_cut_off_makes_the_whole_cut_off() -> None:
    assert run("concatenate", FakeAsk(cut_at("aaabbb", 3), lambda text: text + ("…" if "a" in text else ""))).cut


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 100))
def test_groups_are_neighbours_in_their_order_and_within_the_room(sizes: list[int], room: int) -> None:
    parts = [SizedAnswer(Text(str(number), cut=False), size) for number, size in enumerate(sizes)]
    groups = list(fill_groups(parts, room))
    assert [part for group in groups for part in group] == parts
    for group in groups:
        assert len(group) == 1 or sum(part.tokens for part in group) <= room


def test_every_strategy_has_a_name_of_its_own() -> None:
    assert len(STRATEGIES) == len(EVERY)
