"""The confidence of a model in its labels: the probability of their tokens, as its provider reports it.

It is the product of the conditional probabilities of a label's tokens where it stands in the answer; alternative
answers aren't requested. It isn't calibrated.
"""

import json
import math
from collections.abc import Mapping, Sequence

from tasks.providers.protocol import TokenProbability


def label_probabilities(labels: Sequence[str], tokens: Sequence[TokenProbability]) -> dict[str, float] | None:
    """Return the probability of each label, the last time that it stands in an answer in quotes.

    None where no token's probability is known, or a label isn't found among them.
    """
    data = b"".join(token.data for token in tokens)
    found: dict[str, float] = {}
    for label in labels:
        span = _span(label, data)
        if span is None:
            return None
        found[label] = _probability(tokens, *span)
    return found if tokens else None


def joined_probabilities(
    labels: Sequence[str], answers: Sequence[Mapping[str, float] | None]
) -> dict[str, float] | None:
    """Return the mean probability of each label over several answers; an answer without the label counts as 0.

    None if the probabilities of any answer aren't known.
    """
    known = [answer for answer in answers if answer is not None]
    if not known or len(known) < len(answers):
        return None
    return {label: sum(answer.get(label, 0.0) for answer in known) / len(known) for label in labels}


def _span(label: str, data: bytes) -> tuple[int, int] | None:
    """Return where a label's own bytes begin and end, whichever way its string is escaped."""
    for ascii_only in (False, True):
        quoted = json.dumps(label, ensure_ascii=ascii_only).encode()
        start = data.rfind(quoted)
        if start >= 0:
            return start + 1, start + len(quoted) - 1
    return None


def _probability(tokens: Sequence[TokenProbability], start: int, end: int) -> float:
    """Return the probability of the tokens that have any byte between two places."""
    total, place = 0.0, 0
    for token in tokens:
        if place < end and place + len(token.data) > start:
            total += token.logarithm
        place += len(token.data)
    return math.exp(min(total, 0.0))
