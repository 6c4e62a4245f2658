"""What an asker asks its route, given these answers: kept ones first, each once, and each written down."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tasks.base.errors import AccountRefused, CallRejected, Overflow
from tasks.calls.asker import MAX_CONTINUATIONS
from tasks.prompting.conversation import Text, begun_with
from tests.calls.desk import Answer, Desk, prompt, refused, said

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
Work = Callable[[Desk], Coroutine[Any, Any, Any]]


@pytest.fixture
def at(tmp_path: Path) -> Callable[..., Any]:
    """Run some work on a new desk, whose ledger stays from one to the next."""

    def run(answer: Answer, work: Work, **words: Any) -> tuple[Desk, Any]:
        async def all_of_it() -> tuple[Desk, Any]:
            desk = Desk(tmp_path / "state", answer, **words)
            try:
                return desk, await work(desk)
            finally:
                await asyncio.to_thread(desk.ledger.close)

        return asyncio.run(all_of_it())

    return run


def asked(desk: Desk, text: str, number: int = 0) -> Coroutine[Any, Any, Text]:
    return desk.asker.ask(desk.at(number), begun_with(prompt(text)))


def test_an_answer_is_paid_once_and_found_by_every_later_run(at: Callable[..., Any]) -> None:
    first, text = at(lambda _: said("Yes."), lambda desk: asked(desk, "Is it so?"))
    again, found = at(lambda _: said("No."), lambda desk: asked(desk, "Is it so?"))
    assert text == found == Text("Yes.", cut=False)
    assert (len(first.sender.sent), len(again.sender.sent)) == (1, 0)
    (row,) = first.progress.calls
    assert (row["cost_usd"], row["prompt_tokens"], row["completion_tokens"]) == (pytest.approx(14e-6), 10, 2)
    assert (first.meter.calls, first.meter.cost) == (1, pytest.approx(14e-6))
    assert first.spending.spent == pytest.approx(14e-6)


def test_equal_prompts_at_once_are_asked_once(at: Callable[..., Any]) -> None:
    async def twice(desk: Desk) -> list[Text]:
        return list(await asyncio.gather(asked(desk, "Same?", 0), asked(desk, "Same?", 1)))

    desk, texts = at(lambda _: said("Yes."), twice)
    assert texts == [Text("Yes.", cut=False)] * 2
    assert len(desk.sender.sent) == 1
    assert [row["reused"] for row in desk.progress.calls] == [False, True]
    assert sum(row["cost_usd"] for row in desk.progress.calls) == pytest.approx(14e-6)


def test_an_answer_that_was_cut_off_is_continued_where_it_stopped(at: Callable[..., Any]) -> None:
    answers = iter([said("One, ", "length"), said("two, ", "length"), said("three.")])
    desk, text = at(lambda _: next(answers), lambda desk: asked(desk, "Count."))
    assert text == Text("One, two, three.", cut=False)
    roles = [[turn["role"] for turn in sent["messages"]] for sent in desk.sender.sent]
    assert roles == [["user"], ["user", "assistant", "user"], ["user", "assistant", "user"]]
    assert desk.sender.sent[2]["messages"][1]["content"] == "One, two, "


def test_it_is_continued_so_often_and_then_stays_cut_off(at: Callable[..., Any]) -> None:
    desk, text = at(lambda _: said("And ", "length"), lambda desk: asked(desk, "Count."))
    assert text.cut
    assert len(desk.sender.sent) == MAX_CONTINUATIONS + 1


def test_a_refusal_is_written_down_once_and_not_asked_again(at: Callable[..., Any]) -> None:
    async def twice(desk: Desk) -> None:
        for _ in range(2):
            with pytest.raises(CallRejected):
                await asked(desk, "Bad?")

    desk, _ = at(lambda _: refused(400, "no such field"), twice)
    assert len(desk.sender.sent) == 1
    (row,) = desk.progress.failures
    assert (row["http_status"], row["attempts"], row["stage"]) == (400, 1, "map")
    assert desk.progress.calls == []


def test_a_text_that_is_too_long_is_left_to_be_cut_again(at: Callable[..., Any]) -> None:
    async def once(desk: Desk) -> None:
        with pytest.raises(Overflow):
            await asked(desk, "Long?")

    desk, _ = at(lambda _: refused(400, "maximum context length is 4096 tokens"), once)
    assert desk.progress.failures == []


def test_a_refused_account_is_asked_no_more(at: Callable[..., Any]) -> None:
    async def twice(desk: Desk) -> None:
        for text in ("One?", "Two?"):
            with pytest.raises(AccountRefused):
                await asked(desk, text)

    desk, _ = at(lambda _: refused(401, "Incorrect API key provided"), twice)
    assert len(desk.sender.sent) == 1


def with_schema(desk: Desk, text: str) -> Coroutine[Any, Any, Text]:
    return desk.asker.ask(desk.at(), begun_with(prompt(text, SCHEMA)))


def test_a_route_that_refuses_the_format_is_asked_without_from_then_on(at: Callable[..., Any]) -> None:
    def answer(body: dict[str, Any]) -> Any:
        return refused(400, "response_format is not supported") if "response_format" in body else said("{}")

    async def twice(desk: Desk) -> list[Text]:
        return [await with_schema(desk, "One?"), await with_schema(desk, "Two?")]

    desk, _ = at(answer, twice, structured="json_schema")
    assert ["response_format" in sent for sent in desk.sender.sent] == [True, False, False]
    later, _ = at(answer, twice, structured="json_schema")
    assert later.sender.sent == []  # what was answered without is found, though the refusal is forgotten


def test_an_answer_that_broke_its_format_is_asked_for_without_it_this_time_alone(at: Callable[..., Any]) -> None:
    answers = iter([refused(400, "json_validate_failed"), said("{}"), said("{}")])

    async def twice(desk: Desk) -> list[Text]:
        return [await with_schema(desk, "One?"), await with_schema(desk, "Two?")]

    desk, _ = at(lambda _: next(answers), twice, structured="json_schema")
    assert ["response_format" in sent for sent in desk.sender.sent] == [True, False, True]
    assert desk.progress.failures == []


def test_with_a_budget_the_first_call_goes_alone(at: Callable[..., Any]) -> None:
    seen: list[int] = []

    async def together(desk: Desk) -> list[Text]:
        return list(await asyncio.gather(*(asked(desk, f"Number {number}?", number) for number in range(4))))

    def answer(_: dict[str, Any]) -> Any:
        seen.append(1)
        return said("Yes.", prompt=10 * len(seen))

    desk, texts = at(answer, together, budget=1.0)
    assert len(texts) == len(seen) == 4
    assert desk.spending.spent == pytest.approx(sum(10 * n * 1e-6 + 2 * 2e-6 for n in range(1, 5)))
