"""The page of a comparison: what is recommended, the routes' measures, and their answers side by side."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from tasks.comparison.comparison_records import Agreement, Compared, ComparedAnswer, Comparison
from tasks.pages.comparison_charts import comparison_charts, letters_of
from tasks.pages.figures import count, duration, milliseconds, money, portion, share
from tasks.pages.page import options_of, page, write_page
from tasks.results.location import Folder

# More would make the page too large to be read: the tables hold all.
DOCUMENTS, CHARACTERS = 24, 6000
TONES = {"done": "good", "partial": "warn", "failed": "bad", "paused": "warn", "running": "quiet"}


class RouteChoice(NamedTuple):
    """A recommended route and what speaks for it."""

    title: str
    route: str
    is_best: bool
    facts: Sequence[tuple[str, str]]


class Side(NamedTuple):
    """An answer as it is shown beside the others; `rest` are the characters left out."""

    answer: ComparedAnswer
    text: str | None
    rest: int
    facts: str


def comparison_page(
    comparison: Comparison, answers: Sequence[ComparedAnswer], place: str, *, live: bool = False
) -> str:
    """Return the page of a comparison; `place` is where it and its tables lie."""
    letters = letters_of(comparison.routes)
    failed = [(one, kind, number) for one in comparison.routes for kind, number in one.measured.failures.items()]
    with_schema = any(one.measured.valid is not None for one in comparison.routes)
    return page(
        "comparison.html",
        live=live,
        whole=comparison,
        place=place,
        tone=TONES.get(comparison.status, "quiet"),
        letters=letters,
        choices=list(_choices(comparison)),
        charts=list(comparison_charts(comparison.routes, comparison.documents)),
        measures=with_schema,
        has_agreement=any(one.measured.agreement is not None for one in comparison.routes),
        has_rouge=any(one.measured.rouge_l is not None for one in comparison.routes),
        failures=failed,
        stopped=[(one.route, one.measured.stopped) for one in comparison.routes if one.measured.stopped],
        agreements=_matrix(comparison.routes, comparison.agreements),
        answers=list(_side_by_side(answers, list(letters))),
        more=max(0, len({answer.document_id for answer in answers}) - DOCUMENTS),
        options=options_of(comparison.spec),
        seconds=_seconds(comparison),
    )


def write_comparison_page(folder: Folder, comparison: Comparison, answers: Sequence[ComparedAnswer]) -> None:
    """Write OUTPUT/dashboard.html, whole or not at all. Raises StorageFailed."""
    write_page(folder, comparison_page(comparison, answers, folder.location))


def _seconds(comparison: Comparison) -> float | None:
    ended = comparison.finished_at
    return (ended - comparison.started_at).total_seconds() if ended else None


def _choices(comparison: Comparison) -> Iterator[RouteChoice]:
    """Yield each recommended route once, with all its roles."""
    told = comparison.recommendation
    roles = {"recommended": told.best, "cheapest": told.cheapest, "fastest": told.fastest}
    by_label = {one.route: one for one in comparison.routes}
    for label in dict.fromkeys(filter(None, roles.values())):
        names = [role for role, route in roles.items() if route == label]
        facts = list(_facts(by_label[label])) if label in by_label else []
        yield RouteChoice(", ".join(names).capitalize(), label, label == told.best, facts)


def _facts(one: Compared) -> Iterator[tuple[str, str]]:
    yield "all documents", f"{money(one.projected.cost_usd)}, {duration(one.projected.seconds)}"
    yield "latency", f"{milliseconds(one.measured.latency_p50)} p50, {milliseconds(one.measured.latency_p90)} p90"
    yield "answered whole", share(one.measured.done_share)


def _matrix(routes: Sequence[Compared], pairs: Sequence[Agreement]) -> list[tuple[str, list[float | None]]]:
    """Return a row a route with its agreement with each; nothing where no pair was measured."""
    known = {frozenset((pair.one, pair.other)): pair.cosine for pair in pairs}
    if not known:
        return []
    return [(row.route, [known.get(frozenset((row.route, other.route))) for other in routes]) for row in routes]


def _side_by_side(answers: Sequence[ComparedAnswer], routes: Sequence[str]) -> Iterator[tuple[str, list[Side]]]:
    """Group the answers by document, each in the order of the routes."""
    order = {route: number for number, route in enumerate(routes)}
    places = {name: number for number, name in enumerate(dict.fromkeys(one.document_id for one in answers))}
    ordered = sorted(answers, key=lambda one: (places[one.document_id], order.get(one.route, len(order))))
    for document, sides in groupby(ordered, key=lambda one: one.document_id):
        if places[document] < DOCUMENTS:
            yield document, [_side(answer) for answer in sides]


def _side(answer: ComparedAnswer) -> Side:
    text = answer.output
    rest = max(0, len(text) - CHARACTERS) if text else 0
    facts = [
        f"{count(answer.characters)} characters" if answer.output is not None else "",
        milliseconds(answer.latency_ms) if answer.latency_ms is not None else "",
        money(answer.cost_usd) if answer.cost_usd is not None else "",
        f"agreement {portion(answer.agreement)}" if answer.agreement is not None else "",
        f"ROUGE-L {portion(answer.rouge_l)}" if answer.rouge_l is not None else "",
        "cut off" if answer.is_cut else "",
    ]
    return Side(answer, text[:CHARACTERS] if text else None, rest, ", ".join(filter(None, facts)))
