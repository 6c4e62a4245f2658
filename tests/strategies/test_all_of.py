"""Many calls over one document: others run between, and none goes on alone."""

import asyncio
from collections.abc import Iterator

import pytest

from tasks.prompting.conversation import Text
from tasks.strategies.strategy import all_of


def test_others_run_between_the_making_of_two_prompts() -> None:
    turns = 0
    seen: list[int] = []

    async def ticking() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def answer(number: int) -> Text:
        return Text(str(number), cut=False)

    def asks() -> Iterator[asyncio.Future[Text | None]]:
        for number in range(50):
            seen.append(turns)
            yield asyncio.ensure_future(answer(number))

    async def some() -> list[Text | None]:
        other = asyncio.create_task(ticking())
        try:
            return await all_of(asks())
        finally:
            other.cancel()

    answers = asyncio.run(some())
    assert [one.text for one in answers if one is not None] == [str(number) for number in range(50)]
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("after", range(4))
def test_none_goes_on_alone_once_a_prompt_cant_be_made_or_the_job_stops(after: int) -> None:
    ended: list[int] = []

    async def waiting(number: int) -> Text | None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(number)
        return None

    def asks() -> Iterator[asyncio.Future[Text | None]]:
        for number in range(after):
            yield asyncio.ensure_future(waiting(number))
        raise LookupError

    async def some() -> list[int]:
        with pytest.raises(LookupError):
            await all_of(asks())
        return list(ended)  # by then: at its own end the event loop would cancel all

    assert asyncio.run(some()) == list(range(after))
