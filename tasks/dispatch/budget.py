"""The money a job may spend, in USD."""

import asyncio

from tasks.base.errors import BudgetReached


class Spending:
    """Keeps the sum of what is spent and the worst case of the calls in flight within a limit.

    Without a limit, it only adds up the costs.
    """

    def __init__(self, limit: float | None, spent: float = 0.0, lost: float = 0.0) -> None:
        self.limit = limit
        self.spent = spent
        # Of what is spent: the most that lost answers may have cost.
        self.lost = lost
        self._reserved = 0.0
        self._changed = asyncio.Condition()

    async def reserve(self, worst: float) -> None:
        """Wait until `worst` fits beside what is in flight.

        Raises BudgetReached where it doesn't fit even once all of that is settled.
        """
        if self.limit is None:
            return
        async with self._changed:
            while self.spent + self._reserved + worst > self.limit:
                if self._reserved <= 0:
                    raise BudgetReached(
                        f"the budget of ${self.limit:g} doesn't cover the next call: {self._spent_words} and it "
                        f"may cost ${worst:.6f}: the same command with a larger --budget goes on"
                    )
                await self._changed.wait()
            self._reserved += worst

    def overdrawn(self) -> BudgetReached | None:
        """Return the error to stop with if answers cost more than was reserved and exceed the limit; else None."""
        if self.limit is None or self.spent <= self.limit:
            return None
        return BudgetReached(
            f"the budget of ${self.limit:g} is used up: {self._spent_words}: the same command with a larger "
            "--budget goes on"
        )

    @property
    def _spent_words(self) -> str:
        lost = f", up to ${self.lost:.6f} of it for answers that were lost" if self.lost else ""
        return f"${self.spent:.6f} is spent{lost}"

    def pay(self, cost: float, reserved: float, *, lost: bool = False) -> None:
        """Add a call's cost and free its reservation; `lost`: the answer was lost, and `cost` is its worst case."""
        self.spent += cost
        self.lost += cost if lost else 0.0
        if self.limit is not None:
            self._reserved = max(0.0, self._reserved - reserved)

    async def settle(self, worst: float, cost: float) -> None:
        """Free a reservation and book what the call cost (0 where it was never answered)."""
        self.spent += cost
        if self.limit is None:
            return
        async with self._changed:
            self._reserved = max(0.0, self._reserved - worst)
            if self._reserved < 1e-12:  # a rounding error of adding floats would block the last waiter
                self._reserved = 0.0
            self._changed.notify_all()
