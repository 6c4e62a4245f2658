"""A budget that several workers share is held, and isn't given up while anybody may return some of it."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base.errors import BudgetReached
from tasks.workers import budget_shares as purse_module
from tasks.workers.budget_shares import Granting, Purse

DUST = 1e-9
calls = st.lists(st.tuples(st.integers(0, 2), st.floats(0.001, 2), st.floats(0, 1), st.integers(0, 6)), max_size=30)


class Crew:
    """Workers with their parts of one purse, which tell it all the time what they have spent."""

    def __init__(self, limit: float, workers: int) -> None:
        self.purse = Purse(limit)
        self.parts = [Granting(self._granting(str(number))) for number in range(workers)]

    def _granting(self, name: str) -> purse_module.Granted:
        async def granted(needs: float, spent: float, returned: float) -> float:
            self.purse.tell(name, spent, returned)
            self.tell()
            return self.purse.grant(name, needs)

        return granted

    def tell(self) -> None:
        for number, part in enumerate(self.parts):
            self.purse.tell(str(number), part.spent, part.give_back() if self.purse.is_short else 0.0)

    @property
    def at_most(self) -> float:
        """What is spent and may still be spent by calls in flight."""
        return sum(part.spent + part._reserved for part in self.parts)


@given(st.floats(0, 10), calls)
@settings(max_examples=150, deadline=None)
def test_workers_together_are_never_over_the_budget(limit: float, asked: list[tuple[int, float, float, int]]) -> None:
    async def all_calls() -> None:
        crew = Crew(limit, 3)
        given_up = 0

        async def call(worker: int, worst: float, share: float, turns: int) -> None:
            nonlocal given_up
            try:
                await crew.parts[worker].reserve(worst)
            except BudgetReached:
                given_up += 1
                assert crew.at_most + worst > limit - DUST, "given up, though it would have fit"
                return
            assert crew.at_most <= limit + DUST
            for _ in range(turns):
                await asyncio.sleep(0)
            await crew.parts[worker].settle(worst, worst * share)
            assert crew.at_most <= limit + DUST

        await asyncio.wait_for(asyncio.gather(*(call(*one) for one in asked)), 20)
        assert given_up or sum(part.spent for part in crew.parts) <= limit + DUST

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(purse_module, "LOOK_AGAIN_SECONDS", 0.0)
        asyncio.run(all_calls())


def test_what_a_lost_worker_had_counts_as_spent() -> None:
    purse = Purse(10.0)
    had = purse.grant("a", 4.0)
    purse.lose("a")
    left = purse.grant("b", 10.0 - had)
    assert had + left == pytest.approx(10.0)
    purse.tell("b", left, 0.0)
    with pytest.raises(BudgetReached, match="budget of \\$10 doesn't cover the next call"):
        purse.grant("b", 0.1)


def test_answers_that_cost_more_than_they_may_are_noticed() -> None:
    purse = Purse(1.0)
    purse.grant("a", 0.5)
    purse.tell("a", 0.9, 0.0)
    assert purse.overdrawn() is None
    purse.tell("a", 1.1, 0.0)
    assert "used up" in str(purse.overdrawn())


def test_without_a_budget_everything_is_granted() -> None:
    purse = Purse(None)
    assert purse.grant("a", 1e6) == 1e6
    assert purse.overdrawn() is None
