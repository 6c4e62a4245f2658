"""A budget is held, whatever the order in which calls come and end."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base.errors import BudgetReached
from tasks.dispatch.budget import Spending

DUST = 1e-9

calls = st.lists(
    st.tuples(st.floats(0.001, 2), st.floats(0, 1), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30
)


@given(st.floats(0, 10), st.floats(0, 5), calls)
@settings(max_examples=150, deadline=None)
def test_spent_and_reserved_are_never_over_the_limit(
    limit: float, before: float, asked: list[tuple[float, float, int, int]]
) -> None:
    async def all_calls() -> None:
        spending = Spending(limit, before)
        in_flight: dict[int, float] = {}
        ended = 0

        async def call(number: int, worst: float, share: float, later: int, turns: int) -> None:
            nonlocal ended
            for _ in range(later):
                await asyncio.sleep(0)
            try:
                await spending.reserve(worst)
            except BudgetReached:
                assert not in_flight, "given up while something that may free money is in flight"
                assert spending.spent + worst > limit
                ended += 1
                return
            in_flight[number] = worst
            assert spending.spent + sum(in_flight.values()) <= limit + DUST
            for _ in range(turns):
                await asyncio.sleep(0)
            del in_flight[number]
            await spending.settle(worst, worst * share)
            ended += 1

        await asyncio.wait_for(asyncio.gather(*(call(number, *one) for number, one in enumerate(asked))), 10)
        assert ended == len(asked)
        assert spending.spent <= max(limit, before) + DUST

    asyncio.run(all_calls())


def test_a_call_waits_for_one_in_flight_and_takes_what_that_left() -> None:
    async def two() -> None:
        spending = Spending(1.0)
        await spending.reserve(0.9)
        second = asyncio.create_task(spending.reserve(0.5))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not second.done()
        await spending.settle(0.9, 0.3)
        await asyncio.wait_for(second, 1)
        assert spending.spent == pytest.approx(0.3)

    asyncio.run(two())


def test_a_call_that_does_not_fit_once_all_is_settled_is_told_so() -> None:
    async def two() -> None:
        spending = Spending(1.0)
        await spending.reserve(0.9)
        second = asyncio.create_task(spending.reserve(0.5))
        await asyncio.sleep(0)
        await spending.settle(0.9, 0.9)
        with pytest.raises(BudgetReached, match=r"--budget"):
            await asyncio.wait_for(second, 1)

    asyncio.run(two())


def test_a_call_that_was_never_answered_costs_nothing() -> None:
    async def one() -> None:
        spending = Spending(1.0)
        for _ in range(100):
            await spending.reserve(1.0)
            await spending.settle(1.0, 0.0)
        assert spending.spent == 0

    asyncio.run(one())


def test_without_a_limit_it_only_adds_up() -> None:
    async def some() -> None:
        spending = Spending(None)
        for _ in range(3):
            await spending.reserve(1e9)
            await spending.settle(1e9, 2.0)
        assert spending.spent == 6.0

    asyncio.run(some())
