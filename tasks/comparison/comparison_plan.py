"""Estimate a comparison, and each route's work over all documents."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tasks.calls.estimate import CHARACTERS_A_TOKEN, Expected
from tasks.comparison.compared_routes import Compares, terms_of
from tasks.comparison.comparison_records import Terms
from tasks.planning.job_routes import JobRoute
from tasks.planning.plan import PLAN_BYTES, QUICK_BYTES, foreseen, time_at
from tasks.planning.prepared import Prepared
from tasks.planning.reuse import ReusableAnswers, kept
from tasks.planning.sample import SampleTotals, sample_totals


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """One route, over the documents of the sample (`unchanged` of which are answered already), and over all.

    Prices are in USD, None where they aren't known: `expected` with answers of the usual length,
    `most` with every answer at its longest. `seconds` are those that the limits allow.
    """

    terms: Terms
    unchanged: int
    sample: Expected
    price_expected: float | None
    price_most: float | None
    seconds: float
    whole: Expected
    whole_price: float | None
    whole_seconds: float


@dataclass(frozen=True, slots=True)
class ComparisonPlan:
    """Of a comparison: the documents and characters of the source, its sample, and a plan a route."""

    flow: str
    documents: int
    characters: int
    exact: bool
    sample: tuple[str, ...]
    routes: tuple[RoutePlan, ...]
    left_out: Mapping[str, str]

    @property
    def calls(self) -> int:
        """The calls over the sample, of all routes."""
        return sum(one.sample.calls for one in self.routes)

    @property
    def price_most(self) -> float | None:
        """The most that the sample can cost at all routes together; None where a price isn't known."""
        prices = [one.price_most for one in self.routes if one.price_most is not None]
        return sum(prices) if len(prices) == len(self.routes) else None

    def route(self, label: str) -> RoutePlan:
        """Return the plan of one route."""
        return next(one for one in self.routes if one.terms.route == label)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as plain values."""
        return asdict(self) | {"calls": self.calls, "price_most": self.price_most}


def make_comparison_plan(compares: Compares, *, quick: bool = False) -> ComparisonPlan:
    """Read the documents and add up; of many only a part, the less with `quick`. Nobody is called."""
    first = next(iter(compares.routes.values()))
    cutter = first.job_routes[0].cutter(first.options)
    whole = sample_totals(
        first, compares.documents(first.carried.wanted), cutter, ReusableAnswers(), QUICK_BYTES if quick else PLAN_BYTES
    )
    sample = sample_totals(first, first.documents(), cutter, ReusableAnswers(), PLAN_BYTES)
    routes = tuple(_route_plan(job, sample, whole, first) for job in compares.routes.values())
    return ComparisonPlan(
        compares.flow,
        whole.documents,
        round(whole.characters * whole.factor),
        whole.exact,
        compares.sample.names,
        routes,
        compares.left_out,
    )


def _route_plan(job: Prepared, sample: SampleTotals, whole: SampleTotals, first: Prepared) -> RoutePlan:
    job_route, options = job.job_routes[0], job.options
    ours = first.job_routes[0].cutter(first.options)
    here, all_of_it = foreseen(job_route, sample, ours, options), foreseen(job_route, whole, ours, options)
    likely = 1.0 if job_route.tokenizer.exact else 1 / CHARACTERS_A_TOKEN
    longest = Expected(here.chunks, here.calls, here.prompt_tokens, here.calls * job_route.route.window.max_answer)
    return RoutePlan(
        terms_of(job_route, options),
        _unchanged(job),
        here,
        _cost(job_route, here, likely),
        _cost(job_route, longest),
        time_at(job_route, options, here),
        all_of_it,
        _cost(job_route, all_of_it, likely),
        time_at(job_route, options, all_of_it),
    )


def expected_over(job: Prepared, names: Iterable[str]) -> Expected:
    """Return what these documents of the sample come to at a route, by the arithmetic of its plan."""
    wanted, job_route = frozenset(names), job.job_routes[0]
    cutter = job_route.cutter(job.options)
    documents = (document for document in job.documents() if document.document_id in wanted)
    return foreseen(
        job_route, sample_totals(job, documents, cutter, ReusableAnswers(), PLAN_BYTES), cutter, job.options
    )


def _cost(job_route: JobRoute, expected: Expected, likely: float = 1.0) -> float | None:
    """Return the USD of work; `likely` is the likely share of its prompt tokens, where these are an upper bound."""
    price = job_route.route.price
    return price.cost(round(expected.prompt_tokens * likely), expected.completion_tokens) if price else None


def _unchanged(job: Prepared) -> int:
    """Count the documents of the sample that this route has answered already."""
    return sample_totals(job, job.documents(), job.job_routes[0].cutter(job.options), kept(job), PLAN_BYTES).unchanged
