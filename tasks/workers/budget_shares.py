"""A job's budget, divided among its workers: what all have spent and have in flight stays within it.

A worker is granted more than its next call may cost, so that it seldom has to ask. Once
too little is left, all return what they don't need, and the budget is reached when
no worker has anything to return.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tasks.base.errors import BudgetReached
from tasks.dispatch.budget import Spending

# A worker is granted 1 / (SHARES * the number of workers) of what is left.
SHARES = 8
LOOK_AGAIN_SECONDS = 0.2
# Rounding errors of adding floats.
DUST = 1e-12


@dataclass(slots=True)
class BudgetShares:
    """What each worker was granted of the `limit` (USD; None: no limit), and what it has spent.

    What a lost worker was granted counts as spent.
    """

    limit: float | None
    before: float = 0.0
    granted: dict[str, float] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    is_short: bool = False

    def grant(self, worker: str, needs: float) -> float:
        """Return what a worker is granted; 0 if another has to return some first.

        The worker `needs` this much for its next call; it has reported what it has spent and returned
        all it could. Raises BudgetReached if no worker has anything left to return.
        """
        if self.limit is None:
            return needs
        free = self.limit - self.before - sum(self.granted.values())
        if free + DUST >= needs:
            amount = max(needs, free / (SHARES * max(1, len(self.granted) - len(self.lost))))
            self.granted[worker] = self.granted.get(worker, 0.0) + amount
            return amount
        self.is_short = True
        if all(self._unspent(other) <= DUST for other in self.granted):
            spent = self.before + sum(self.spent.values())
            raise BudgetReached(
                f"the budget of ${self.limit:g} doesn't cover the next call: ${spent:.6f} is spent and it may cost "
                f"${needs:.6f}: the same command with a larger --budget goes on"
            )
        return 0.0

    def tell(self, worker: str, spent: float, returned: float) -> None:
        """Note what a worker has spent in all, and what it returns of its grants."""
        self.spent[worker] = spent
        self.granted[worker] = max(spent, self.granted.get(worker, 0.0) - returned)

    def lose(self, worker: str) -> None:
        """Count all that a lost worker was granted as spent, since the cost of its calls in flight isn't known."""
        self.lost.add(worker)
        self.spent[worker] = self.granted.get(worker, 0.0)

    def overdrawn(self) -> BudgetReached | None:
        """Return why nobody is to be asked any more, where answers cost more than was reserved for them."""
        spent = self.before + sum(self.spent.values())
        if self.limit is None or spent <= self.limit + DUST:
            return None
        return BudgetReached(
            f"the budget of ${self.limit:g} is used up: ${spent:.6f} is spent: the same command with a larger "
            "--budget goes on"
        )

    def _unspent(self, worker: str) -> float:
        return 0.0 if worker in self.lost else self.granted[worker] - self.spent.get(worker, 0.0)


# Takes what a worker needs, has spent and returns; returns what it is granted.
Granted = Callable[[float, float, float], Awaitable[float]]


class WorkerBudget(Spending):
    """A worker's part of the budget: its limit is what it was granted so far."""

    def __init__(self, granted: Granted) -> None:
        super().__init__(0.0)
        self._granted = granted
        self._asking = asyncio.Lock()

    async def reserve(self, worst: float) -> None:
        """Wait until `worst` is granted. Raises BudgetReached where it never will be."""
        while not self._fits(worst):
            async with self._asking:  # one asks at a time: what it gets may be enough for all
                if not self._fits(worst) and not await self._more(worst):
                    await asyncio.sleep(LOOK_AGAIN_SECONDS)
        self._reserved += worst

    def overdrawn(self) -> None:
        """Return None: the run checks what all workers have spent."""

    def give_back(self) -> float:
        """Return what isn't needed for calls in flight, which is granted no more. On the event loop."""
        unused = max(0.0, self._own - self.spent - self._reserved)
        self.limit = self._own - unused
        return unused

    @property
    def _own(self) -> float:
        return self.limit or 0.0

    def _fits(self, worst: float) -> bool:
        return self.spent + self._reserved + worst <= self._own + DUST

    async def _more(self, worst: float) -> bool:
        """Return what is left of earlier grants, which another worker may wait for, and ask for all of `worst`."""
        amount = await self._granted(worst, self.spent, self.give_back())
        self.limit = self._own + amount
        return amount > 0
