"""What a comparison has paid so far, in all its runs, as the ledgers of its routes tell.

Each answer is in its route's ledger before anything else happens to it, so a comparison that
was killed knows what it paid.
"""

from collections.abc import Iterable
from datetime import datetime

from tasks.comparison.compared_routes import Compares
from tasks.planning.prepare import Prepared
from tasks.planning.state_location import state_of
from tasks.prompting.options import Options

SINCE = (
    "SELECT sum(usd) FROM (SELECT job_id, coalesce(cost_usd, worst_usd) AS usd FROM answers WHERE created_at >= ? "
    "UNION ALL SELECT job_id, coalesce(cost_usd, worst_usd) FROM exchanges WHERE created_at >= ?) AS paid"
)
# An unfinished job is taken up again: it counts its own.
ENDED = f"{SINCE} WHERE job_id IN (SELECT job_id FROM jobs WHERE status = 'done')"  # noqa: S608 - our own words
DONE = "SELECT count(*) FROM jobs WHERE status = 'done' AND started_at >= ?"
UNKNOWN = "SELECT count(*) FROM answers WHERE created_at >= ? AND cost_usd IS NULL"


def left_for(route: str, compares: Compares, began: datetime) -> float | None:
    """Return what one route's job may spend in all its runs, that all routes together stay within the budget."""
    budget = compares.options.budget
    if budget is None:
        return None
    others = [job.options for label, job in compares.routes.items() if label != route]
    return max(0.0, budget - _sum(others, SINCE, began) - _sum([compares.routes[route].options], ENDED, began))


def has_ended(job: Prepared, began: datetime) -> bool:
    """Whether a route's job has come to its end since a comparison began."""
    rows = state_of(job.options).peek(DONE, (began.isoformat(),))
    return bool(rows and rows[0][0])


def paid(compares: Compares, began: datetime) -> float | None:
    """Return the USD paid since a comparison began; None where the price of an answer isn't known."""
    unknown = (
        _ask(job.options, UNKNOWN, began) for job in compares.routes.values() if job.job_routes[0].route.price is None
    )
    return None if any(unknown) else _sum((job.options for job in compares.routes.values()), SINCE, began)


def _sum(options: Iterable[Options], sql: str, began: datetime) -> float:
    return sum(_ask(one, sql, began) for one in options)


def _ask(options: Options, sql: str, began: datetime) -> float:
    rows = state_of(options).peek(sql, (began.timestamp(),) * sql.count("?"))
    return float(rows[0][0] or 0.0) if rows else 0.0
