"""A budget that several workers share is held, and isn't given up while anybody may return some of it."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.base.errors import BudgetReached
from tasks.workers import budget_shares
from tasks.workers.budget_shares import BudgetShares, WorkerBudget

DUST = 1e-9
calls = st.lists(st.tuples(st.integers(0, 2), st.floats(0.001, 2), st.floats(0, 1), st.integers(0, 6)), max_size=30)


class Crew:
    """Workers with their parts of one purse, which tell it all the time what they have spent."""

    def __init__(self, limit: float, workers: int) -> None:
        self.shares = BudgetShares(limit)
        self.parts = [WorkerBudget(self._granting(str(number))) for number in range(workers)]

    def _granting(self, name: str) -> budget_shares.Granted:
        async def granted(needs: float, spent: float, returned: float) -> float:
            self.shares.tell(name, spent, returned)
            self.tell()
            return self.shares.grant(name, needs)

        return granted

    def tell(self) -> None:
        for number, part in enumerate(self.parts):
            self.shares.tell(str(number), part.spent, part.give_back() if self.shares.is_short else 0.0)

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
        patch.setattr(budget_shares, "LOOK_AGAIN_SECONDS", 0.0)
        asyncio.run(all_calls())


def test_what_a_lost_worker_had_counts_as_spent() -> None:
    shares = BudgetShares(10.0)
    had = shares.grant("a", 4.0)
    shares.lose("a")
    left = shares.grant("b", 10.0 - had)
    assert had + left == pytest.approx(10.0)
    shares.tell("b", left, 0.0)
    with pytest.raises(BudgetReached, match="budget of \\$10 doesn't cover the next call"):
        shares.grant("b", 0.1)


def test_answers_that_cost_more_than_they_may_are_noticed() -> None:
    shares = BudgetShares(1.0)
    shares.grant("a", 0.5)
    shares.tell("a", 0.9, 0.0)
    assert shares.overdrawn() is None
    shares.tell("a", 1.1, 0.0)
    assert "used up" in str(shares.overdrawn())


def test_without_a_budget_everything_is_granted() -> None:
    shares = BudgetShares(None)
    assert shares.grant("a", 1e6) == 1e6
    assert shares.overdrawn() is None
