"""What a comparison has paid so far, in all its runs, as the ledgers of its routes tell.

Each answer is in its route's ledger before anything else happens to it, so a comparison that
was killed knows what it paid.
"""

from datetime import datetime

from tasks.comparison.compared_routes import Compares
from tasks.ledger.questions import has_ended_since, has_unpriced_since, paid_since
from tasks.planning.prepared import Prepared


def left_for(route: str, compares: Compares, began: datetime) -> float | None:
    """Return what one route's job may spend in all its runs, that all routes together stay within the budget."""
    budget = compares.options.budget
    if budget is None:
        return None
    others = sum(paid_since(job.state, began) for label, job in compares.routes.items() if label != route)
    # An unfinished job will be resumed, and counts what it has spent itself.
    return max(0.0, budget - others - paid_since(compares.routes[route].state, began, ended=True))


def has_ended(job: Prepared, began: datetime) -> bool:
    """Whether a route's job has come to its end since a comparison began."""
    return has_ended_since(job.state, began)


def paid(compares: Compares, began: datetime) -> float | None:
    """Return the USD paid since a comparison began; None where the price of an answer isn't known."""
    jobs = compares.routes.values()
    if any(has_unpriced_since(job.state, began) for job in jobs if job.job_routes[0].route.price is None):
        return None
    return sum(paid_since(job.state, began) for job in jobs)
