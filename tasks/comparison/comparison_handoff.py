"""Hand a comparison that was prepared and planned before its flow began over to the flow."""

from collections.abc import Sequence

from tasks.base.settings import Settings
from tasks.calls.progress import Meter
from tasks.comparison.compared_routes import Compares, prepare_comparison
from tasks.comparison.comparison_plan import ComparisonPlan, make_comparison_plan
from tasks.prompting.options import CompareOptions

Ready = tuple[Compares, ComparisonPlan, Meter]
_OFFERED: list[Ready] = []


def offer_comparison(ready: Ready) -> None:
    """Leave a comparison for the flow that is about to be called in this process."""
    _OFFERED.append(ready)


def take_comparison(inputs: Sequence[str], options: CompareOptions, settings: Settings | None = None) -> Ready:
    """Return the comparison that was offered for these inputs and options, or prepare it now."""
    for offered in _OFFERED:
        if (offered[0].inputs, offered[0].options) == (tuple(inputs), options):
            _OFFERED.remove(offered)
            return offered
    compares = prepare_comparison(inputs, options, settings)
    plan = make_comparison_plan(compares, quick=True)
    return compares, plan, metered(plan)


def metered(plan: ComparisonPlan) -> Meter:
    """Return the counts of all routes together, with what they are expected to come to."""
    return Meter(expected_documents=len(plan.sample) * len(plan.routes), expected_calls=plan.calls)
