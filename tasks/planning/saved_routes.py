"""Keep what was chosen for a result set: an unfinished job's routes and windows, and the model of a finished one.

Prices and windows change from day to day. A resumed job keeps its routes, so that nothing is
paid for twice; a later job keeps the model, so that finished documents needn't be done
again.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tasks.ledger.questions import last_status
from tasks.ledger.state import State
from tasks.planning.job_routes import JobRoute
from tasks.prompting.options import Options

NOTE = "routes.json"
# The options that choose routes: the saved ones apply only while these are the same.
WISH = ("provider", "model", "context", "subtype", "routing", "pool", "max_price", "min_context", "exclude", "fallback")


@dataclass(frozen=True, slots=True)
class Remembered:
    """The windows of the routes in their order, and whether their job is unfinished."""

    windows: Mapping[str, int]
    unfinished: bool

    def ordered(self, job_routes: Sequence[JobRoute]) -> list[JobRoute]:
        """Return the routes in the order of an unfinished job, else those of the same model first."""
        if not self.windows:
            return list(job_routes)
        labels = list(self.windows)
        if self.unfinished:
            return sorted(
                job_routes,
                key=lambda job_route: labels.index(job_route.label) if job_route.label in labels else len(labels),
            )
        model = labels[0].split("/", 1)[1]
        return sorted(job_routes, key=lambda job_route: job_route.route.model != model)

    def as_begun(self, job_route: JobRoute) -> JobRoute:
        """Return a job_route with the window it had when its unfinished job began, if it isn't smaller now."""
        context = self.windows.get(job_route.label)
        if not self.unfinished or context is None or context >= job_route.route.window.context:
            return job_route
        return replace(
            job_route, route=replace(job_route.route, window=replace(job_route.route.window, context=context))
        )


def remembered(options: Options, state: State) -> Remembered:
    """Return what is remembered of this result set for the same wish; nothing with --fresh."""
    with contextlib.suppress(ValueError, LookupError, TypeError):
        value = json.loads(state.read(NOTE))
        status = last_status(state)
        if status is not None and value["wish"] == _wish(options) and not options.fresh:
            windows = {str(label): int(context) for label, context in value["windows"].items()}
            return Remembered(windows, status != "done")
    return Remembered({}, unfinished=False)


def remember(job_routes: Sequence[JobRoute], options: Options, state: State) -> None:
    """Keep the routes and their windows."""
    value = {
        "wish": _wish(options),
        "windows": {job_route.label: job_route.route.window.context for job_route in job_routes},
    }
    state.write(NOTE, json.dumps(value))


def _wish(options: Options) -> dict[str, Any]:
    wish: dict[str, Any] = options.model_dump(mode="json", include=set(WISH))
    return wish
