"""A job's budget, of which each worker has a part: what all have spent and have in flight stays within it.

A worker is granted more than its next call may cost, so that it seldom has to ask. Once
too little is left, all return what they don't need, and the budget is reached when
nobody has anything to return.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tasks.base.errors import BudgetReached
from tasks.dispatch.budget import Spending

# Of what is left, a worker is granted one share in so many for each worker.
SHARES = 8
LOOK_AGAIN_SECONDS = 0.2
# The dust of adding floats.
DUST = 1e-12


@dataclass(slots=True)
class BudgetShares:
    """Who has been granted how much of the `limit` (USD) and has spent how much; None is no limit.

    What a lost worker had counts as spent.
    """

    limit: float | None
    before: float = 0.0
    granted: dict[str, float] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    is_short: bool = False

    def grant(self, worker: str, needs: float) -> float:
        """Return what a worker gets, 0 where somebody has to return some first.

        It `needs` so much for its next call, and has told what it has spent and returned all it
        could. Raises BudgetReached where nobody has anything left to return.
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
        """Take what a worker had for spent: of what it had in flight nobody knows."""
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


# What a worker needs, has spent and returns, to what it is granted.
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
        """Nothing: what all workers have spent is looked at by their run."""

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
        """Ask for all of it: what is left of earlier grants may be all that another worker waits for."""
        amount = await self._granted(worst, self.spent, self.give_back())
        self.limit = self._own + amount
        return amount > 0
