"""Add similarities to the measures: how far the answers agree, and how close they are to the reference."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from tasks.base.errors import UserMistake
from tasks.comparison.comparison_records import Agreement, Compared, ComparedAnswer
from tasks.comparison.text_similarity import agreements, mean, rouge_l

# By route and document.
Scores = Mapping[tuple[str, str], float]


class Likened(NamedTuple):
    """Routes and answers with their similarities, the agreement of each pair of routes, and notes on gaps."""

    routes: list[Compared]
    answers: list[ComparedAnswer]
    agreements: list[Agreement]
    notes: list[str]


def likened(routes: Sequence[Compared], answers: Sequence[ComparedAnswer], references: Mapping[str, str]) -> Likened:
    """Return routes and answers with their similarities."""
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    for one in answers:
        if one.output and one.output.strip():
            texts[one.route][one.document_id] = one.output
    pairs, shared, notes = _agreeing(texts)
    scores = {
        (route, name): rouge_l(text, references[name])
        for route, outputs in texts.items()
        for name, text in outputs.items()
        if name in references
    }
    every = [_liked(one, shared, scores) for one in answers]
    count = len({one.document_id for one in answers} & references.keys())
    lacking = len({one.document_id for one in answers}) - count
    if references and lacking:
        notes.append(f"{lacking:,} documents of the sample have no reference: ROUGE-L is over the other {count:,}")
    return Likened([_with(route, every) for route in routes], every, pairs, notes)


def _agreeing(
    texts: Mapping[str, Mapping[str, str]],
) -> tuple[list[Agreement], dict[tuple[str, str], float], list[str]]:
    if len(texts) < 2:
        return [], {}, []
    try:
        return *agreements(texts), []
    except UserMistake:
        note = "how far the answers agree wasn't measured: that needs wordllama: pip install 'docmill[local]'"
        return [], {}, [note]


def _liked(one: ComparedAnswer, shared: Scores, scores: Scores) -> ComparedAnswer:
    key = one.route, one.document_id
    return replace(one, agreement=shared.get(key), rouge_l=scores.get(key))


def _with(route: Compared, answers: Sequence[ComparedAnswer]) -> Compared:
    mine = [one for one in answers if one.route == route.route]
    agreement, score = _mean(mine, lambda one: one.agreement), _mean(mine, lambda one: one.rouge_l)
    return replace(route, measured=replace(route.measured, agreement=agreement, rouge_l=score))


def _mean(answers: Sequence[ComparedAnswer], of: Callable[[ComparedAnswer], float | None]) -> float | None:
    known = [value for one in answers if (value := of(one)) is not None]
    return mean(known) if known else None
